"""Counts of deliveries in the outbox. Nothing here writes."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import String, func, or_, select, type_coerce
from sqlalchemy.orm import Session, joinedload

from delivery.models import Delivery, EditionRow
from delivery.states import IN_PROGRESS, DeliveryKind, DeliveryState
from delivery.transport.base import without_addresses
from subscribers.models import Subscriber

NOT_ACCEPTED = (DeliveryState.FAILED, DeliveryState.DEFERRED, DeliveryState.UNCERTAIN)

StateCounts = Counter[tuple[str, str]]  # deliveries by state and, of those skipped, by the reason
Refusals = Counter[tuple[str, str]]  # deliveries by state and what the server said, without addresses


def count_slot_by_reason(session: Session, slot: str) -> StateCounts:
    """How many deliveries of a slot are in each state; of those skipped, by the reason."""
    state = type_coerce(Delivery.state, String)
    reason = func.coalesce(func.nullif(state, DeliveryState.SKIPPED.value), Delivery.reply)
    rows = select(Delivery.state, reason, func.count()).where(Delivery.slot == slot)
    return Counter(
        {
            (found, why if found == DeliveryState.SKIPPED else ""): count
            for found, why, count in session.execute(rows.group_by(Delivery.state, reason))
        }
    )


def refusals_of_slot(session: Session, slot: str) -> Refusals:
    """What servers said of the deliveries of a slot that they did not accept, without any subscriber's address."""
    rows = (
        select(Delivery.state, Delivery.reply, Subscriber.email)
        .join(Subscriber)
        .where(Delivery.slot == slot, or_(*(Delivery.state == state for state in NOT_ACCEPTED)))
    )
    return Counter((state, _without_recipient(reply, email)) for state, reply, email in session.execute(rows))


def _without_recipient(reply: str, email: str) -> str:
    """A reply without the recipient. Some servers repeat only the part of the address before the @."""
    local_part = re.escape(email.partition("@")[0])
    return re.sub(rf"(?<!\w){local_part}(?!\w)", "<address>", without_addresses(reply), flags=re.IGNORECASE)


def count_under_way(session: Session) -> Counter[str]:
    """How many deliveries that are under way are in each state. Settled ones cost nothing, however many there are."""
    rows = select(Delivery.state, func.count()).where(Delivery.due_at.is_not(None)).group_by(Delivery.state)
    return Counter(dict(session.execute(rows).all()))


def count_due(session: Session, queue: str | None, now: datetime) -> int:
    """How many deliveries are due, in one queue or in all."""
    due = select(func.count()).where(Delivery.due_at <= now)
    return session.scalar(due.where(Delivery.queue == queue) if queue else due) or 0


def is_any_due(session: Session, queues: Sequence[str], now: datetime) -> bool:
    """Whether a delivery of the queues is due."""
    due = select(Delivery.id).where(Delivery.queue.in_(queues), Delivery.due_at <= now)
    return session.scalar(due.limit(1)) is not None


def count_overdue(session: Session, since: datetime) -> tuple[int, int]:
    """How many deliveries have been due since a time or longer, and how many of them have an expired lease."""
    is_leased = or_(*(Delivery.state == state for state in IN_PROGRESS))
    rows = select(func.count(), func.count().filter(is_leased)).where(Delivery.due_at < since)
    count, leased = session.execute(rows).one()
    return count, leased


def count_left(session: Session, queue: str | None) -> int:
    """How many deliveries no sender has attempted yet, in one queue or in all, claimed or not."""
    states = (DeliveryState.PLANNED, *IN_PROGRESS)
    left = select(func.count()).where(
        Delivery.due_at.is_not(None), or_(*(Delivery.state == state for state in states))
    )
    return session.scalar(left.where(Delivery.queue == queue) if queue else left) or 0


def digests_of_subscriber(session: Session, subscriber_id: int, count: int) -> Sequence[Delivery]:
    """The last mails with papers to a subscriber, the newest first, without their texts."""
    shown = joinedload(Delivery.edition).load_only(EditionRow.subject, EditionRow.language, EditionRow.kind)
    rows = (
        select(Delivery)
        .where(Delivery.subscriber_id == subscriber_id, Delivery.kind != DeliveryKind.LETTER)
        .where(Delivery.state != DeliveryState.SKIPPED)
        .order_by(Delivery.id.desc())
    )
    return session.scalars(rows.options(shown).limit(count)).all()


def mails_of_subscriber(session: Session, subscriber_id: int) -> list[dict[str, str]]:
    """The mails to a subscriber, in order: subject, state and time."""
    rows = select(Delivery).where(Delivery.subscriber_id == subscriber_id).order_by(Delivery.id)
    return [
        {
            "subject": delivery.edition.subject,
            "state": delivery.state,
            "planned_at": delivery.planned_at.isoformat(),
        }
        for delivery in session.scalars(rows.options(joinedload(Delivery.edition)))
    ]
