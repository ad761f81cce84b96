"""What the outbox holds, counted and listed; it changes nothing."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload

from delivery.models import HELD, Delivery, ReturnedMail


def states(session: Session) -> Counter[str]:
    """How many deliveries are in each state."""
    rows = select(Delivery.state, func.count()).group_by(Delivery.state)
    return Counter(dict(session.execute(rows).tuples().all()))


def account_of(session: Session, slot: str) -> Counter[tuple[str, str]]:
    """How many deliveries of a slot are in each state; of those skipped, with the reason."""
    reason = func.coalesce(func.nullif(Delivery.state, "skipped"), Delivery.reply)
    rows = select(Delivery.state, reason, func.count()).where(Delivery.slot == slot)
    return Counter(
        {
            (state, why if state == "skipped" else ""): count
            for state, why, count in session.execute(rows.group_by(Delivery.state, reason))
        }
    )


def states_in(session: Session, slot: str) -> Counter[str]:
    """How many deliveries of a slot are in each state."""
    rows = select(Delivery.state, func.count()).where(Delivery.slot == slot).group_by(Delivery.state)
    return Counter(dict(session.execute(rows).tuples().all()))


def under_way(session: Session) -> Counter[str]:
    """How many deliveries that are not settled yet are in each state; cheap however many are settled."""
    rows = select(Delivery.state, func.count()).where(Delivery.due_at.is_not(None)).group_by(Delivery.state)
    return Counter(dict(session.execute(rows).tuples().all()))


def returned_by_kind(session: Session, since: datetime) -> Counter[str]:
    """How many mails of each kind came back since a time."""
    rows = select(ReturnedMail.kind, func.count()).where(ReturnedMail.received_at > since)
    return Counter(dict(session.execute(rows.group_by(ReturnedMail.kind)).tuples().all()))


def returned_by_slot(session: Session, since: datetime) -> dict[str, int]:
    """How many mails planned and returned as bounces since a time were of each slot."""
    rows = (
        select(Delivery.slot, func.count())
        .join_from(ReturnedMail, Delivery)
        .where(ReturnedMail.kind == "bounce", ReturnedMail.received_at > since, Delivery.planned_at > since)
    )
    return dict(session.execute(rows.group_by(Delivery.slot)).tuples().all())


def count_due(session: Session, queue: str | None, now: datetime) -> int:
    """How many deliveries are due, of one queue or of all."""
    due = select(func.count()).where(Delivery.due_at <= now)
    return session.scalar(due.where(Delivery.queue == queue) if queue else due) or 0


def is_any_due(session: Session, queues: Sequence[str], now: datetime) -> bool:
    """Whether a delivery of the queues is due."""
    due = select(Delivery.id).where(Delivery.queue.in_(queues), Delivery.due_at <= now)
    return session.scalar(due.limit(1)) is not None


def overdue(session: Session, since: datetime) -> tuple[int, int]:
    """How many deliveries are due since a time or longer, and how many of them a silent sender holds."""
    is_held = or_(*(Delivery.state == state for state in HELD))
    rows = select(func.count(), func.count().filter(is_held)).where(Delivery.due_at < since)
    count, held = session.execute(rows).one()
    return count, held


def count_left(session: Session, queue: str | None) -> int:
    """How many deliveries no sender has tried yet, of one queue or of all, whoever holds them."""
    left = select(func.count()).where(
        Delivery.due_at.is_not(None), or_(*(Delivery.state == state for state in ("planned", *HELD)))
    )
    return session.scalar(left.where(Delivery.queue == queue) if queue else left) or 0


def history(session: Session, subscriber_id: int) -> list[dict[str, str]]:
    """What a reader was sent, in order: subject, state and time."""
    rows = select(Delivery).where(Delivery.subscriber_id == subscriber_id).order_by(Delivery.id)
    return [
        {
            "subject": delivery.edition.subject,
            "state": delivery.state,
            "planned_at": delivery.planned_at.isoformat(),
        }
        for delivery in session.scalars(rows.options(joinedload(Delivery.edition)))
    ]
