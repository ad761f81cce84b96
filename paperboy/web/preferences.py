"""A reader's own page: language, frequency, pause, address, what is stored, and the end of it."""

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from delivery import queries
from mailings import account_mails
from paperboy.web.deps import AtDesk, Desk, Origin, moment_of
from paperboy.web.pages import go, message, page
from subscribers import accounts
from subscribers.accounts import AccountError
from subscribers.models import Subscriber
from subscribers.tokens import ExpiredLinkError

router = APIRouter(include_in_schema=False)

LONGEST_PAUSE = timedelta(days=366)
Field = Annotated[str, Form(max_length=400)]


@router.get("/p/{token}")
def show_preferences(request: Request, token: str, desk: AtDesk) -> Response:
    """The page; an old link offers a fresh one by mail."""
    with desk.database.sessions() as session:
        try:
            reader = desk.reader_of(session, "preferences", token)
        except ExpiredLinkError as old:
            reader_language = _language_of(session, old)
            return page(
                request,
                "expired.html",
                status=410,
                reader_language=reader_language,
                action=f"/p/{token}/fresh",
            )
        return _page(request, desk, reader, token)


@router.post("/p/{token}/fresh")
def send_fresh_link(request: Request, token: str, desk: AtDesk) -> Response:
    """Mail a fresh link to the reader whose old one this is, at most once a day."""
    with desk.database.sessions.begin() as session:
        try:
            desk.reader_of(session, "preferences", token)
        except ExpiredLinkError as old:
            found = accounts.by_handle(session, old.handle)
            if found:
                account_mails.write_once(session, found, "preferences_link", desk.house, desk.clock())
        else:
            return go(f"/p/{token}", request)
    desk.nudge()
    return go("/sent", request)


@router.post("/p/{token}/save")
def save(
    request: Request, token: str, desk: AtDesk, origin: Origin, language: Field = "", frequency: Field = ""
) -> Response:
    """Set language and frequency."""
    return _act(
        request,
        desk,
        token,
        "saved",
        lambda session, reader: accounts.change(
            session, reader, desk.clock(), language=language, frequency=frequency, origin=origin
        ),
        fault="choose",
    )


@router.post("/p/{token}/pause")
def pause(request: Request, token: str, desk: AtDesk, origin: Origin, until: Field = "") -> Response:
    """Hold mails until a day."""

    def act(_: Session, reader: Subscriber) -> None:
        accounts.pause(reader, desk.clock(), until=_day(desk, until), origin=origin)

    return _act(request, desk, token, "paused", act, fault="bad_day")


@router.post("/p/{token}/resume")
def resume(request: Request, token: str, desk: AtDesk, origin: Origin) -> Response:
    """Mail again."""
    return _act(
        request,
        desk,
        token,
        "resumed",
        lambda _, reader: accounts.resume(reader, desk.clock(), origin=origin),
        fault="not_now",
    )


@router.post("/p/{token}/move")
def move(request: Request, token: str, desk: AtDesk, origin: Origin, email: Field = "") -> Response:
    """Write to a new address, which takes effect when it is confirmed there."""
    return _act(
        request,
        desk,
        token,
        "move_sent",
        lambda session, reader: account_mails.ask_to_move(
            session, reader, email, desk.house, desk.clock(), origin=origin
        ),
        fault="bad_address",
    )


@router.get("/m/{token}")
def show_move(request: Request, token: str, desk: AtDesk) -> Response:
    """A button to confirm a new address with; the link ends with its use."""
    with desk.database.sessions() as session:
        reader = desk.reader_of(session, "move", token)
        return page(
            request, "move.html", reader_language=reader.language, reader=reader, action=f"/m/{token}"
        )


@router.post("/m/{token}")
def confirm_move(request: Request, token: str, desk: AtDesk, origin: Origin) -> Response:
    """Mail the reader at the new address from now on."""
    with desk.database.sessions.begin() as session:
        reader = desk.reader_of(session, "move", token)
        try:
            accounts.move(session, reader, desk.clock(), origin=origin)
        except AccountError:
            return message(request, "move_late", status=410, reader_language=reader.language)
        return message(request, "moved", reader_language=reader.language)


@router.post("/p/{token}/revoke")
def revoke(request: Request, token: str, desk: AtDesk, origin: Origin) -> Response:
    """End all links sent so far; the page goes on under a new one."""
    with desk.database.sessions.begin() as session:
        reader = desk.reader_of(session, "preferences", token)
        accounts.revoke_links(reader, desk.clock(), origin=origin)
        fresh = desk.token("preferences", reader)
    return go(f"/p/{fresh}", request, done="revoked")


@router.get("/p/{token}/data.json")
def download(token: str, desk: AtDesk) -> Response:
    """All that is stored of the reader."""
    with desk.database.sessions() as session:
        reader = desk.reader_of(session, "preferences", token)
        return JSONResponse(
            _stored(session, reader), headers={"Content-Disposition": 'attachment; filename="paperboy.json"'}
        )


@router.post("/p/{token}/forget")
def forget(request: Request, token: str, desk: AtDesk, sure: Field = "") -> Response:
    """Erase the reader."""
    with desk.database.sessions.begin() as session:
        reader = desk.reader_of(session, "preferences", token)
        if not sure:
            return _page(request, desk, reader, token, fault="not_sure")
        language = reader.language
        account_mails.forget(session, reader, desk.house, desk.clock())
    return message(request, "forgotten", reader_language=language)


# --- what they share ----------------------------------------------------------------


def _act(request: Request, desk: Desk, token: str, done: str, act: Any, *, fault: str) -> Response:
    """Do it and show the page again, or the page with what is wrong."""
    with desk.database.sessions.begin() as session:
        reader = desk.reader_of(session, "preferences", token)
        try:
            with session.begin_nested():
                act(session, reader)
        except (AccountError, ValueError):
            return _page(request, desk, reader, token, fault=fault)
    desk.nudge()
    return go(f"/p/{token}", request, done=done)


def _page(request: Request, desk: Desk, reader: Subscriber, token: str, *, fault: str = "") -> Response:
    today = moment_of(desk).date()
    done = request.query_params.get("done", "")
    return page(
        request,
        "preferences.html",
        status=400 if fault else 200,
        reader_language=reader.language,
        reader=reader,
        action=f"/p/{token}",
        leave=f"/u/{desk.token('unsubscribe', reader)}",
        fault=fault,
        done=done if done in {"saved", "paused", "resumed", "move_sent", "revoked"} else "",
        tomorrow=today + timedelta(days=1),
        last_day=today + LONGEST_PAUSE,
    )


def _day(desk: Desk, text: str) -> date:
    day, today = date.fromisoformat(text), moment_of(desk).date()
    if not today < day <= today + LONGEST_PAUSE:
        raise ValueError("a pause ends within a year")
    return day


def _language_of(session: Session, old: ExpiredLinkError) -> str:
    found = accounts.by_handle(session, old.handle)
    return found.language if found else ""


def _stored(session: Session, reader: Subscriber) -> dict[str, Any]:
    names = ("email", "name", "language", "frequency", "status", "new_email")
    days = ("created_at", "confirmed_at", "ended_at", "paused_until")
    return {
        **{name: getattr(reader, name) for name in names},
        **{name: value.isoformat() if (value := getattr(reader, name)) else None for name in days},
        "events": [{"at": e.at.isoformat(), "what": e.what, **e.detail} for e in reader.events],
        "mails": queries.history(session, reader.id),
    }
