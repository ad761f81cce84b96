"""Unsubscribing: by a page with a button, or at once by the header's POST (RFC 8058); less instead; and coming back.

A link to unsubscribe works for ever: after a change of address, after all links were revoked, after the key was changed.
"""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy.orm import Session

from core.details import Detail
from core.frequencies import Frequency
from emails.kinds import MailKind
from mailings import account_mails
from paperboy.web.deps import ContextDep, NobodysLinkError, Origin, WebContext
from paperboy.web.pages import message_page, redirect, render_page
from subscribers import accounts
from subscribers.addresses import AccountError
from subscribers.choices import PAUSE_WEEKS
from subscribers.models import Subscriber
from subscribers.status import SUBSCRIBED, SubscriberStatus
from subscribers.suppression import is_suppressed
from subscribers.tokens import LinkPurpose

router = APIRouter(include_in_schema=False)

NOTES = {"told", "back", "less"}  # what the page says was done


@router.get("/u/{token}")
def show_unsubscribe(request: Request, token: str, context: ContextDep) -> Response:
    """A button to leave with and what one can have instead; after that, one to take it back."""
    done = request.query_params.get("done", "")
    with context.database.sessions() as session:
        try:
            subscriber = context.subscriber_of(session, LinkPurpose.UNSUBSCRIBE, token)
        except NobodysLinkError:
            return message_page(request, "nobody")
        return render_page(
            request,
            "unsubscribe.html",
            subscriber_language=subscriber.language,
            subscriber=subscriber,
            is_suppressed=is_suppressed(session, subscriber.email),
            action=f"/u/{token}",
            pause_weeks=PAUSE_WEEKS,
            note=done if done in NOTES else "",
        )


@router.post("/u/{token}")
def unsubscribe(
    request: Request,
    token: str,
    context: ContextDep,
    origin: Origin,
    one_click: Annotated[str, Form(alias="List-Unsubscribe", max_length=40)] = "",
    reason: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """End the subscription at once. A mail client's one-click POST is answered in plain text."""
    with context.database.sessions.begin() as session:
        try:
            subscriber = context.subscriber_of(session, LinkPurpose.UNSUBSCRIBE, token)
        except NobodysLinkError:  # there is nothing left to end
            return PlainTextResponse("unsubscribed\n") if one_click else message_page(request, "nobody")
        account_mails.unsubscribe(
            session, subscriber, context.identity, context.clock(), origin=origin, reason=reason
        )
    context.wake()
    if one_click:
        return PlainTextResponse("unsubscribed\n")
    return redirect(f"/u/{token}", request, **({"done": "told"} if reason else {}))


@router.post("/u/{token}/less")
def have_less(
    request: Request,
    token: str,
    context: ContextDep,
    origin: Origin,
    choice: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Less instead of goodbye: a pause, weekly instead of daily, or brief mails. It also takes an unsubscription back."""
    with context.database.sessions.begin() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.UNSUBSCRIBE, token)
        try:
            with session.begin_nested():
                _return(session, subscriber, context, origin)
                _choose_less(session, subscriber, choice, context, origin)
        except AccountError:
            return message_page(request, "undo_late", status=409, subscriber_language=subscriber.language)
    return redirect(f"/u/{token}", request, done="less")


@router.post("/u/{token}/settings")
def send_settings_link(request: Request, token: str, context: ContextDep) -> Response:
    """Mail a subscriber the link to their settings. This page does not lead there: whoever got a forwarded mail has it."""
    with context.database.sessions.begin() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.UNSUBSCRIBE, token)
        if subscriber.status in SUBSCRIBED:
            account_mails.plan_letter_once(
                session, subscriber, MailKind.PREFERENCES_LINK, context.identity, context.clock()
            )
    context.wake()
    return redirect("/sent", request)


@router.post("/u/{token}/undo")
def undo(request: Request, token: str, context: ContextDep, origin: Origin) -> Response:
    """Take the unsubscription back, or ask for mails again after a bounce or a complaint."""
    with context.database.sessions.begin() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.UNSUBSCRIBE, token)
        try:
            _return(session, subscriber, context, origin)
        except AccountError:
            return message_page(request, "undo_late", status=409, subscriber_language=subscriber.language)
    return redirect(f"/u/{token}", request, done="back")


def _return(session: Session, subscriber: Subscriber, context: WebContext, origin: str) -> None:
    accounts.return_by_link(session, subscriber, context.clock(), origin=origin)


def _choose_less(
    session: Session, subscriber: Subscriber, choice: str, context: WebContext, origin: str
) -> None:
    now = context.clock()
    if choice == Frequency.WEEKLY:
        accounts.change(session, subscriber, now, frequency=Frequency.WEEKLY, origin=origin)
    elif choice == Detail.BRIEF:
        accounts.change(session, subscriber, now, detail=Detail.BRIEF, origin=origin)
    elif choice in map(str, PAUSE_WEEKS):
        until = context.local_now.date() + timedelta(weeks=int(choice))
        if subscriber.status == SubscriberStatus.PAUSED:
            accounts.resume(subscriber, now, origin=origin)
        accounts.pause(subscriber, now, until=until, origin=origin)
    else:
        raise AccountError("there is no such choice")
