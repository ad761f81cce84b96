"""Subscribing: the form, what follows it, and the confirmation."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from emails.letters import Notice
from issues import store
from mailings import account_mails
from paperboy.web.deps import AtDesk, Desk, Origin, moment_of
from paperboy.web.pages import go, message, page
from subscribers.accounts import AccountError, normal_address
from subscribers.models import FREQUENCIES, LANGUAGES, Application

router = APIRouter(include_in_schema=False)

LATEST = 3  # issues on the front page
JUST_CONFIRMED = timedelta(hours=1)  # then the page leads on; later the link is an old one like any other

Field = Annotated[str, Form(max_length=400)]


@router.get("/")
def show_form(request: Request, desk: AtDesk) -> Response:
    """The form, and the latest issues."""
    return _form(request, desk)


@router.post("/subscribe")
def subscribe(
    request: Request,
    desk: AtDesk,
    origin: Origin,
    email: Field = "",
    language: Field = "",
    frequency: Field = "",
    website: Field = "",
) -> Response:
    """Take a sign-up; the answer is the same whoever has the address. `website` is for robots only."""
    given = {"email": email, "chosen_language": language, "chosen_frequency": frequency}
    if language not in LANGUAGES or frequency not in FREQUENCIES:
        return _form(request, desk, fault="choose", **given)
    try:
        address = normal_address(email)
    except AccountError:
        return _form(request, desk, fault="bad_address", **given)
    if not website:
        exceeded = take_application(desk, address, language, frequency, origin)
        if exceeded:
            return message(request, "too_many", status=429)
    return go("/sent", request)


def take_application(desk: Desk, address: str, language: str, frequency: str, origin: str) -> str:
    """Keep a sign-up for the postman to answer; the name of the limit that it exceeds, or nothing.

    Nothing here depends on who has the address, so neither answer nor time tells.
    """
    exceeded = desk.limits.take(origin, address.rpartition("@")[2])
    if exceeded == "total" and desk.limits.is_first_today("spike"):
        desk.alarm(_spike(desk))
    if exceeded:
        return exceeded
    with desk.database.sessions.begin() as session:
        session.add(
            Application(
                email=address,
                language=language,
                frequency=frequency,
                network=origin,
                received_at=desk.clock(),
            )
        )
    desk.nudge()
    return ""


def _spike(desk: Desk) -> Notice:
    return Notice(
        what="too many sign-ups",
        cause=f"More than {desk.settings.sign_ups_in_all} sign-ups came in; others are turned away for now.",
        remedy="If they are real, raise PAPERBOY_SIGN_UPS_IN_ALL and start the pages anew; else wait.",
        facts={"time": f"{moment_of(desk):%Y-%m-%d %H:%M}"},
    )


@router.get("/sent")
def show_sent(request: Request) -> Response:
    """Check your mail."""
    return message(request, "sent")


@router.get("/c/{token}")
def show_confirmation(request: Request, token: str, desk: AtDesk) -> Response:
    """A button to confirm with; once confirmed, that it is done."""
    with desk.database.sessions() as session:
        reader = desk.reader_of(session, "confirm", token)
        is_fresh = reader.confirmed_at and reader.confirmed_at + JUST_CONFIRMED > desk.clock()
        preferences = f"/p/{desk.token('preferences', reader)}" if is_fresh else ""
        return page(
            request,
            "confirm.html",
            reader_language=reader.language,
            reader=reader,
            action=f"/c/{token}",
            preferences=preferences,
        )


@router.post("/c/{token}")
def confirm(request: Request, token: str, desk: AtDesk, origin: Origin) -> Response:
    """Begin the subscription."""
    with desk.database.sessions.begin() as session:
        reader = desk.reader_of(session, "confirm", token)
        try:
            account_mails.confirm(session, reader, desk.house, desk.rules, desk.clock(), origin=origin)
        except AccountError:
            return message(request, "confirm_late", status=410, reader_language=reader.language)
    desk.nudge()
    return go(f"/c/{token}", request)


def _form(
    request: Request,
    desk: Desk,
    *,
    fault: str = "",
    email: str = "",
    chosen_language: str = "",
    chosen_frequency: str = "weekly",
) -> Response:
    with desk.database.sessions() as session:
        issues = [issue for issue in store.every(session) if issue.revision][:LATEST]
        return page(
            request,
            "subscribe.html",
            status=400 if fault else 200,
            fault=fault,
            email=email,
            chosen_language=chosen_language,
            chosen_frequency=chosen_frequency,
            issues=issues,
        )
