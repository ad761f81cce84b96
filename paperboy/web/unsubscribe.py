"""Unsubscribing: by a page with a button, or at once by the header's POST (RFC 8058); and taking it back."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import PlainTextResponse, Response

from mailings import account_mails
from paperboy.web.deps import ContextDep, Origin
from paperboy.web.pages import message_page, redirect, render_page
from subscribers import accounts
from subscribers.addresses import AccountError
from subscribers.status import SubscriberStatus
from subscribers.tokens import LinkPurpose

router = APIRouter(include_in_schema=False)


@router.get("/u/{token}")
def show_unsubscribe(request: Request, token: str, context: ContextDep) -> Response:
    """A button to leave with; after that, one to take it back."""
    done = request.query_params.get("done", "")
    with context.database.sessions() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.UNSUBSCRIBE, token)
        return render_page(
            request,
            "unsubscribe.html",
            subscriber_language=subscriber.language,
            subscriber=subscriber,
            action=f"/u/{token}",
            note=done if done in {"told", "back"} else "",
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
        subscriber = context.subscriber_of(session, LinkPurpose.UNSUBSCRIBE, token)
        account_mails.unsubscribe(
            session, subscriber, context.identity, context.clock(), origin=origin, reason=reason
        )
    context.wake()
    if one_click:
        return PlainTextResponse("unsubscribed\n")
    return redirect(f"/u/{token}", request, **({"done": "told"} if reason else {}))


@router.post("/u/{token}/undo")
def undo(request: Request, token: str, context: ContextDep, origin: Origin) -> Response:
    """Take the unsubscription back."""
    with context.database.sessions.begin() as session:
        subscriber = context.subscriber_of(session, LinkPurpose.UNSUBSCRIBE, token)
        try:
            accounts.undo_unsubscribe(session, subscriber, context.clock(), origin=origin)
        except AccountError:
            if subscriber.status != SubscriberStatus.ACTIVE:
                return message_page(request, "undo_late", status=409, subscriber_language=subscriber.language)
    return redirect(f"/u/{token}", request, done="back")
