"""Subscribers: a list to search, and a page for each with everything that is known and what comes next."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from core.audit_log import OperatorAction, latest_actions
from core.database import read_only
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from monitoring.history import history_of_subscriber
from paperboy.admin.auth import HOME, SignedIn
from paperboy.admin.render import render_admin
from paperboy.admin.subscriber_outlook import outlook
from paperboy.web.deps import ContextDep
from subscribers.addresses import MAX_NAME_LENGTH
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus

router = APIRouter(prefix=HOME, include_in_schema=False)

SUBSCRIBERS_PER_PAGE = 50
SHOWN_ACTIONS = 50

SubscriberId = Annotated[int, Path(ge=0, le=2**63 - 1)]
Filter = Annotated[str, Query(max_length=20)]


@router.get("/readers")
def show_subscribers(
    request: Request,
    context: ContextDep,
    operator: SignedIn,
    search: Annotated[str, Query(alias="q", max_length=320, pattern=r"^[^\x00]*$")] = "",
    status: Filter = "",
    language: Filter = "",
    frequency: Filter = "",
    detail: Filter = "",
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
) -> Response:
    """Subscribers, the newest first, whose address or name contains a text, by status and choices."""
    wanted = {"status": status, "language": language, "frequency": frequency, "detail": detail}
    rows = select(Subscriber).where(Subscriber.status != SubscriberStatus.FORGOTTEN)
    for column, choices in _filters().items():
        if wanted[column] in choices:
            rows = rows.where(getattr(Subscriber, column) == wanted[column])
    if search.strip():
        text = search.strip().lower()
        rows = rows.where(
            Subscriber.email.icontains(text, autoescape=True)
            | Subscriber.name.icontains(text, autoescape=True)
        )
    if before is not None:
        rows = rows.where(Subscriber.id < before)
    with read_only(context.database) as session:
        found = session.scalars(rows.order_by(Subscriber.id.desc()).limit(SUBSCRIBERS_PER_PAGE + 1)).all()
    return render_admin(
        request,
        "subscribers.html",
        operator=operator,
        subscribers=found[:SUBSCRIBERS_PER_PAGE],
        next=found[SUBSCRIBERS_PER_PAGE - 1].id if len(found) > SUBSCRIBERS_PER_PAGE else None,
        chosen={"q": search, **wanted},
        filters=_filters(),
    )


def _filters() -> dict[str, list[str]]:
    """The columns by which the list is filtered, with their values."""
    statuses = [status for status in SubscriberStatus if status != SubscriberStatus.FORGOTTEN]
    return {
        "status": list(map(str, statuses)),
        "language": list(map(str, Language)),
        "frequency": list(map(str, Frequency)),
        "detail": list(map(str, Detail)),
    }


@router.get("/readers/{subscriber_id}")
def show_subscriber(
    request: Request, subscriber_id: SubscriberId, context: ContextDep, operator: SignedIn
) -> Response:
    """What a subscriber has chosen, what comes next, what they were sent, what bounced and what they changed."""
    with read_only(context.database) as session:
        subscriber = subscriber_with(session, subscriber_id)
        sentence, values = outlook(session, subscriber, context.local_now)
        return render_admin(
            request,
            "subscriber.html",
            operator=operator,
            subscriber=subscriber,
            outlook=sentence,
            outlook_values=values,
            history=history_of_subscriber(session, subscriber),
            actions=_actions_on(session, subscriber),
            choices={name: choices for name, choices in _filters().items() if name != "status"},
            name_length=MAX_NAME_LENGTH,
            today=context.local_now.date(),
        )


def _actions_on(session: Session, subscriber: Subscriber) -> Sequence[OperatorAction]:
    """What operators did to a subscriber. SQLite may have given them the id of somebody who was forgotten before."""
    since = min((event.at for event in subscriber.events), default=subscriber.created_at)
    return latest_actions(session, SHOWN_ACTIONS, target_of(subscriber), since=since)


def subscriber_with(session: Session, subscriber_id: int) -> Subscriber:
    """The subscriber with an id.

    Raises:
        HTTPException: there is none, or they were forgotten.
    """
    subscriber = session.get(Subscriber, subscriber_id)
    if subscriber is None or subscriber.status == SubscriberStatus.FORGOTTEN:
        raise HTTPException(404)
    return subscriber


def target_of(subscriber: Subscriber) -> str:
    """What the audit log calls a subscriber. It has no addresses."""
    return f"subscriber {subscriber.id}"
