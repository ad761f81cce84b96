"""What operators change about a subscriber: choices, pauses, the end, and a suppression. Each action is recorded."""

from collections.abc import Callable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from core.audit_log import Action, record_action
from core.details import Detail
from core.errors import PaperboyError
from core.frequencies import Frequency
from core.languages import Language
from paperboy.admin.auth import HOME, ForbiddenActionError, FromOurPage, Operator, SignedIn
from paperboy.admin.subscribers import SubscriberId, subscriber_with, target_of
from paperboy.web.deps import ContextDep, WebContext
from subscribers import accounts
from subscribers.addresses import MAX_NAME_LENGTH
from subscribers.choices import may_end_pause
from subscribers.models import Subscriber
from subscribers.suppression import unsuppress

router = APIRouter(
    prefix=f"{HOME}/readers/{{subscriber_id}}", include_in_schema=False, dependencies=[FromOurPage]
)

ORIGIN = "an operator"  # of account events, which subscribers can download, so nobody is named


@router.post("/edit")
def edit(
    subscriber_id: SubscriberId,
    context: ContextDep,
    operator: SignedIn,
    language: Annotated[Language, Form()],
    frequency: Annotated[Frequency, Form()],
    detail: Annotated[Detail, Form()],
    name: Annotated[str, Form(max_length=MAX_NAME_LENGTH)] = "",
) -> Response:
    """Change what a subscriber has chosen, and the name in the greeting."""

    def change(session: Session, subscriber: Subscriber) -> None:
        accounts.change(
            session,
            subscriber,
            context.clock(),
            language=language,
            frequency=frequency,
            detail=detail,
            name=name,
            origin=ORIGIN,
        )

    return _act(context, operator, subscriber_id, Action.EDIT, change)


@router.post("/pause")
def pause(
    subscriber_id: SubscriberId,
    context: ContextDep,
    operator: SignedIn,
    until: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Stop mails until a day, or until the subscriber resumes."""

    def change(_: Session, subscriber: Subscriber) -> None:
        accounts.pause(subscriber, context.clock(), until=_day(until, context), origin=ORIGIN)

    return _act(context, operator, subscriber_id, Action.PAUSE, change, until=until)


def _day(text: str, context: WebContext) -> date | None:
    """The day that a form names, or None if it names none.

    Raises:
        PaperboyError: it is no day, or a pause cannot end on it.
    """
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise PaperboyError("This is not a day.") from None
    if not may_end_pause(day, context.local_now.date()):
        raise PaperboyError("The pause must end after today and within a year.")
    return day


@router.post("/resume")
def resume(subscriber_id: SubscriberId, context: ContextDep, operator: SignedIn) -> Response:
    """Mail a paused subscriber again."""

    def change(_: Session, subscriber: Subscriber) -> None:
        accounts.resume(subscriber, context.clock(), origin=ORIGIN)

    return _act(context, operator, subscriber_id, Action.RESUME, change)


@router.post("/end")
def end(subscriber_id: SubscriberId, context: ContextDep, operator: SignedIn) -> Response:
    """End a subscription at once. Nothing is sent about it."""

    def change(_: Session, subscriber: Subscriber) -> None:
        accounts.unsubscribe(subscriber, context.clock(), origin=ORIGIN)

    return _act(context, operator, subscriber_id, Action.END, change)


@router.post("/unsuppress")
def lift_suppression(subscriber_id: SubscriberId, context: ContextDep, operator: SignedIn) -> Response:
    """Let the address be mailed again."""

    def change(session: Session, subscriber: Subscriber) -> None:
        unsuppress(session, subscriber.email, context.clock(), origin=ORIGIN)

    return _act(context, operator, subscriber_id, Action.UNSUPPRESS, change)


def _act(
    context: WebContext,
    operator: Operator,
    subscriber_id: int,
    action: Action,
    change: Callable[[Session, Subscriber], None],
    **detail: str,
) -> Response:
    """Change a subscriber and record who did it, in one transaction. Then show the page again.

    Raises:
        ForbiddenActionError: the change is not possible as things are.
    """
    page = f"{HOME}/readers/{subscriber_id}"
    with context.database.sessions.begin() as session:
        subscriber = subscriber_with(session, subscriber_id)
        try:
            change(session, subscriber)
        except PaperboyError as error:
            raise ForbiddenActionError(str(error), page, 409) from None
        record_action(session, operator.name, action, target_of(subscriber), context.clock(), **detail)
    return RedirectResponse(page, status_code=303)
