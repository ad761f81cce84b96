"""Unsubscribing: by a page with a button, or at once by the header's POST (RFC 8058); and taking it back."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import PlainTextResponse, Response

from mailings import account_mails
from paperboy.web.deps import AtDesk, Origin
from paperboy.web.pages import go, message, page
from subscribers import accounts
from subscribers.accounts import AccountError

router = APIRouter(include_in_schema=False)


@router.get("/u/{token}")
def show_unsubscribe(request: Request, token: str, desk: AtDesk) -> Response:
    """A button to leave with; once gone, one to take it back."""
    note = request.query_params.get("done", "")
    with desk.database.sessions() as session:
        reader = desk.reader_of(session, "unsubscribe", token)
        return page(
            request,
            "unsubscribe.html",
            reader_language=reader.language,
            reader=reader,
            action=f"/u/{token}",
            note=note if note in {"told", "back"} else "",
        )


@router.post("/u/{token}")
def unsubscribe(
    request: Request,
    token: str,
    desk: AtDesk,
    origin: Origin,
    one_click: Annotated[str, Form(alias="List-Unsubscribe", max_length=40)] = "",
    reason: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """End the subscription at once; a mail client's one-click POST is answered in plain text."""
    with desk.database.sessions.begin() as session:
        reader = desk.reader_of(session, "unsubscribe", token)
        account_mails.end(session, reader, desk.house, desk.clock(), origin=origin, reason=reason)
    desk.nudge()
    if one_click:
        return PlainTextResponse("unsubscribed\n")
    return go(f"/u/{token}", request, **({"done": "told"} if reason else {}))


@router.post("/u/{token}/undo")
def undo(request: Request, token: str, desk: AtDesk, origin: Origin) -> Response:
    """Take the unsubscription back."""
    with desk.database.sessions.begin() as session:
        reader = desk.reader_of(session, "unsubscribe", token)
        try:
            accounts.undo_unsubscribe(session, reader, desk.clock(), origin=origin)
        except AccountError:
            if reader.status != "active":
                return message(request, "undo_late", status=409, reader_language=reader.language)
    return go(f"/u/{token}", request, done="back")
