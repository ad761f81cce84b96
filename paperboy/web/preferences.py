"""A subscriber's own page: language, frequency, detail, pause, address, stored data, and forgetting."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from delivery.queries import digests_of_subscriber, mails_of_subscriber
from emails.kinds import MailKind
from mailings import account_mails, own_copies
from mailings.traces import erase_traces_of
from paperboy.web.deps import ContextDep, Origin, WebContext
from paperboy.web.pages import message_page, redirect, render_page
from subscribers import accounts, links
from subscribers.addresses import AccountError
from subscribers.choices import MAX_PAUSE, PAUSE_WEEKS, may_end_pause, parse_choice
from subscribers.models import Subscriber
from subscribers.tokens import ExpiredTokenError, LinkPurpose

router = APIRouter(include_in_schema=False)

MAX_MAILS = 200  # of the history that the page shows
FormText = Annotated[str, Form(max_length=400)]


@router.get("/p/{token}")
def show_preferences(request: Request, token: str, context: ContextDep) -> Response:
    """The page. An expired link offers a fresh one by mail."""
    with context.database.sessions() as session:
        try:
            subscriber = context.subscriber_of(session, LinkPurpose.PREFERENCES, token)
        except ExpiredTokenError as expired:
            return render_page(
                request,
                "expired.html",
                status=410,
                subscriber_language=_language_of(session, expired),
                action=f"/p/{token}/fresh",
            )
        return _page(request, context, subscriber, token)


@router.post("/p/{token}/fresh")
def send_fresh_link(request: Request, token: str, context: ContextDep) -> Response:
    """Mail a fresh link to the subscriber whose expired one this is, at most once a day."""
    with context.database.sessions.begin() as session:
        try:
            context.subscriber_of(session, LinkPurpose.PREFERENCES, token)
        except ExpiredTokenError as expired:
            found = links.by_handle(session, expired.handle)
            if found:
                account_mails.plan_letter_once(
                    session, found, MailKind.PREFERENCES_LINK, context.identity, context.clock()
                )
        else:
            return redirect(f"/p/{token}", request)
    context.wake()
    return redirect("/sent", request)


@router.post("/p/{token}/save")
def save(
    request: Request,
    token: str,
    context: ContextDep,
    origin: Origin,
    language: FormText = "",
    frequency: FormText = "",
    detail: FormText = "",
) -> Response:
    """Set language, frequency and detail. What the form leaves out stays as it is."""

    def change(session: Session, subscriber: Subscriber) -> None:
        accounts.change(
            session,
            subscriber,
            context.clock(),
            language=parse_choice(Language, language) if language else None,
            frequency=parse_choice(Frequency, frequency) if frequency else None,
            detail=parse_choice(Detail, detail) if detail else None,
            origin=origin,
        )

    return _act(request, context, token, "saved", change, fault="choose")


@router.post("/p/{token}/pause")
def pause(
    request: Request, token: str, context: ContextDep, origin: Origin, until: FormText = ""
) -> Response:
    """Stop mails until a day."""

    def act(_: Session, subscriber: Subscriber) -> None:
        accounts.pause(subscriber, context.clock(), until=_parse_day(context, until), origin=origin)

    return _act(request, context, token, "paused", act, fault="bad_day")


@router.post("/p/{token}/resume")
def resume(
    request: Request, token: str, context: ContextDep, origin: Origin, skip: FormText = ""
) -> Response:
    """Mail again, from the papers that waited or, with `skip`, from the latest issue on."""

    def act(session: Session, subscriber: Subscriber) -> None:
        accounts.resume(subscriber, context.clock(), origin=origin)
        if skip:
            accounts.skip_to_latest_issue(session, subscriber, context.clock(), origin=origin)

    return _act(request, context, token, "resumed", act, fault="not_now")


@router.post("/p/{token}/move")
def move(request: Request, token: str, context: ContextDep, origin: Origin, email: FormText = "") -> Response:
    """Write to a new address, which is used once it has been confirmed there."""

    def act(session: Session, subscriber: Subscriber) -> None:
        account_mails.request_address_change(
            session, subscriber, email, context.identity, context.clock(), origin=origin
        )

    return _act(request, context, token, "move_sent", act, fault="bad_address")


@router.get("/m/{token}")
def show_move(request: Request, token: str, context: ContextDep) -> Response:
    """A button to confirm a new address with. The link can be used once."""
    with context.database.sessions() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.MOVE, token)
        return render_page(
            request,
            "move.html",
            subscriber_language=subscriber.language,
            subscriber=subscriber,
            action=f"/m/{token}",
        )


@router.post("/m/{token}")
def confirm_move(request: Request, token: str, context: ContextDep, origin: Origin) -> Response:
    """Mail the subscriber at the new address from now on."""
    with context.database.sessions.begin() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.MOVE, token, ends_links=True)
        try:
            accounts.change_address(session, subscriber, context.clock(), origin=origin)
        except AccountError:
            return message_page(request, "move_late", status=410, subscriber_language=subscriber.language)
        account_mails.plan_letter(
            session, subscriber, MailKind.PREFERENCES_LINK, context.identity, context.clock()
        )
        answer = message_page(request, "moved", subscriber_language=subscriber.language)
    context.wake()
    return answer


@router.post("/p/{token}/revoke")
def revoke(request: Request, token: str, context: ContextDep, origin: Origin) -> Response:
    """End all links sent so far. The page continues under a new one."""
    with context.database.sessions.begin() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.PREFERENCES, token, ends_links=True)
        accounts.revoke_links(session, subscriber, context.clock(), origin=origin)
        fresh = context.token(LinkPurpose.PREFERENCES, subscriber)
    return redirect(f"/p/{fresh}", request, done="revoked")


@router.get("/p/{token}/mails")
def show_history(request: Request, token: str, context: ContextDep) -> Response:
    """Which mails came when, each with a button to get it again."""
    asked = request.query_params.get("done", "")
    with context.database.sessions() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.PREFERENCES, token)
        return render_page(
            request,
            "history.html",
            subscriber_language=subscriber.language,
            subscriber=subscriber,
            mails=digests_of_subscriber(session, subscriber.id, MAX_MAILS),
            action=f"/p/{token}",
            asked=asked if asked in {"again", "not_again"} else "",
            local=context.settings.local,
        )


@router.post("/p/{token}/mails/{delivery_id}")
def send_mail_again(
    request: Request,
    token: str,
    delivery_id: Annotated[int, Path(ge=0, le=2**63 - 1)],
    context: ContextDep,
) -> Response:
    """Send one of the subscriber's mails once more, a few times a day."""
    with context.database.sessions() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.PREFERENCES, token)
    is_planned = own_copies.send_mail_again(
        context.database.sessions, subscriber, delivery_id, context.identity, context.clock()
    )
    context.wake()
    return redirect(f"/p/{token}/mails", request, done="again" if is_planned else "not_again")


@router.get("/p/{token}/data.json")
def download(token: str, context: ContextDep) -> Response:
    """Everything that is stored about the subscriber."""
    with context.database.sessions() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.PREFERENCES, token)
        return JSONResponse(
            _stored_data(session, subscriber),
            headers={"Content-Disposition": 'attachment; filename="paperboy.json"'},
        )


@router.post("/p/{token}/forget")
def forget(request: Request, token: str, context: ContextDep, sure: FormText = "") -> Response:
    """Erase the subscriber."""
    with context.database.sessions.begin() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.PREFERENCES, token)
        if not sure:
            return _page(request, context, subscriber, token, fault="not_sure")
        language, address = subscriber.language, subscriber.email
        account_mails.forget(session, subscriber, context.identity, context.clock())
    erase_traces_of(address, context.settings, context.database)
    return message_page(request, "forgotten", subscriber_language=language)


# --- shared -------------------------------------------------------------------------


def _act(
    request: Request,
    context: WebContext,
    token: str,
    done: str,
    act: Callable[[Session, Subscriber], None],
    *,
    fault: str,
) -> Response:
    """Act on the subscriber and show the page again; if it is impossible, show what is wrong."""
    with context.database.sessions.begin() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.PREFERENCES, token)
        try:
            with session.begin_nested():
                act(session, subscriber)
        except (AccountError, ValueError):
            return _page(request, context, subscriber, token, fault=fault)
    context.wake()
    return redirect(f"/p/{token}", request, done=done)


def _page(
    request: Request, context: WebContext, subscriber: Subscriber, token: str, *, fault: str = ""
) -> Response:
    today = context.local_now.date()
    done = request.query_params.get("done", "")
    return render_page(
        request,
        "preferences.html",
        status=400 if fault else 200,
        subscriber_language=subscriber.language,
        subscriber=subscriber,
        action=f"/p/{token}",
        leave=f"/u/{context.token(LinkPurpose.UNSUBSCRIBE, subscriber)}",
        fault=fault,
        done=done if done in {"saved", "paused", "resumed", "move_sent", "revoked"} else "",
        tomorrow=today + timedelta(days=1),
        pauses=[(weeks, today + timedelta(weeks=weeks)) for weeks in PAUSE_WEEKS],
        asks_how_to_resume=accounts.is_long_pause(subscriber, context.clock()),
        last_day=today + MAX_PAUSE,
    )


def _parse_day(context: WebContext, text: str) -> date:
    day, today = date.fromisoformat(text), context.local_now.date()
    if not may_end_pause(day, today):
        raise ValueError("a pause ends within a year")
    return day


def _language_of(session: Session, expired: ExpiredTokenError) -> Language | None:
    found = links.by_handle(session, expired.handle)
    return found.language if found else None


def _stored_data(session: Session, subscriber: Subscriber) -> dict[str, Any]:
    names = ("email", "name", "language", "frequency", "detail", "status", "new_email")
    days = ("created_at", "confirmed_at", "ended_at", "paused_until")
    return {
        **{name: getattr(subscriber, name) for name in names},
        **{name: value.isoformat() if (value := getattr(subscriber, name)) else None for name in days},
        "events": [{"at": e.at.isoformat(), "what": e.what, **e.detail} for e in subscriber.events],
        "mails": mails_of_subscriber(session, subscriber.id),
    }
