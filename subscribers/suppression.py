"""Addresses that must not be mailed."""

from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from core.database import upsert
from subscribers.events import record_event
from subscribers.models import Subscriber, Suppression
from subscribers.status import SubscriberStatus


def suppress(session: Session, address: str, reason: str, now: datetime) -> None:
    """Never mail the address again, and end its subscription."""
    row = upsert(session, Suppression).values(email=address.lower(), reason=reason, created_at=now)
    session.execute(row.on_conflict_do_nothing())  # two senders may learn it at the same time
    subscriber = session.scalar(select(Subscriber).where(func.lower(Subscriber.email) == address.lower()))
    if subscriber and subscriber.status != SubscriberStatus.BOUNCED:
        record_event(subscriber, "bounced", now, "", before=subscriber.status)
        subscriber.status, subscriber.ended_at = SubscriberStatus.BOUNCED, subscriber.ended_at or now


def is_suppressed(session: Session, address: str) -> bool:
    """Whether the address must not be mailed."""
    return session.get(Suppression, address.lower()) is not None


def has_suppressed_address() -> ColumnElement[bool]:
    """The condition that a subscriber's address is suppressed."""
    return exists().where(Suppression.email == func.lower(Subscriber.email))
