"""Addresses that must not be mailed: suppressing one, and lifting a suppression."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, exists, func, select
from sqlalchemy.orm import Session

from core.database import upsert
from subscribers.addresses import AccountError
from subscribers.events import record_event
from subscribers.first_papers import catch_up
from subscribers.models import Subscriber, Suppression
from subscribers.status import SubscriberStatus

COMPLAINT = "complaint"  # the reason if the owner of the address reported our mail as spam
MAX_REASON_LENGTH = 300
BOUNCED, LIFTED = "bounced", "suppression lifted"  # account events
RETURNED = "returned"  # what the reason of a bounce begins with
# How long after a bounce the address may confirm again. Each further bounce lets it wait longer.
FIRST_WAIT, WAIT_FACTOR, MAX_WAIT = timedelta(days=1), 4, timedelta(days=90)
_OPEN_STATUSES = (SubscriberStatus.ACTIVE, SubscriberStatus.PAUSED, SubscriberStatus.PENDING)


def suppress(session: Session, address: str, reason: str, now: datetime, *, origin: str = "") -> None:
    """Never mail the address again, and end its subscription. A suppression that exists keeps its reason."""
    row = upsert(session, Suppression).values(email=address.lower(), reason=reason, created_at=now)
    session.execute(row.on_conflict_do_nothing())  # two senders may learn it at the same time
    subscriber = _subscriber_at(session, address)
    if subscriber and subscriber.status != SubscriberStatus.BOUNCED:
        record_event(subscriber, BOUNCED, now, origin, before=subscriber.status)
        subscriber.status, subscriber.ended_at = SubscriberStatus.BOUNCED, subscriber.ended_at or now


def unsuppress(session: Session, address: str, now: datetime, *, origin: str = "") -> Subscriber | None:
    """Mail the address again. Returns its subscriber, or None when nobody is subscribed with it.

    The subscription continues as it was before: an active subscriber gets what they missed, and after a month only
    the latest issue. Whoever complained asked for the end of their mails, so only they can sign up again.

    Raises:
        AccountError: the address is not suppressed.
    """
    suppression = suppression_of(session, address)
    if suppression is None:
        raise AccountError(f"{address} is not suppressed")
    lift(session, address)
    subscriber = _subscriber_at(session, address)
    if subscriber and subscriber.status == SubscriberStatus.BOUNCED:
        subscriber.status = _status_after(subscriber, suppression.reason)
        if subscriber.status in _OPEN_STATUSES:
            catch_up(session, subscriber, now)
            subscriber.ended_at = None
        record_event(subscriber, LIFTED, now, origin, status=subscriber.status)
    session.flush()
    return subscriber


def _status_after(subscriber: Subscriber, reason: str) -> SubscriberStatus:
    """The status before the suppression, or unsubscribed after a complaint."""
    bounced = [event for event in subscriber.events if event.what == BOUNCED]
    if reason == COMPLAINT or not bounced:
        return SubscriberStatus.UNSUBSCRIBED
    return SubscriberStatus(bounced[-1].detail["before"])


def _subscriber_at(session: Session, address: str) -> Subscriber | None:
    return session.scalar(select(Subscriber).where(func.lower(Subscriber.email) == address.lower()))


def suppression_of(session: Session, address: str) -> Suppression | None:
    """The suppression of the address, with its reason, or None when it may be mailed."""
    return session.get(Suppression, address.lower())


def lift(session: Session, address: str) -> None:
    """Forget that the address is suppressed. Its subscription stays as it is."""
    session.execute(delete(Suppression).where(Suppression.email == address.lower()))


def has_bounced(session: Session, address: str) -> bool:
    """Whether the address is suppressed because mails to it came back."""
    suppression = suppression_of(session, address)
    return suppression is not None and suppression.reason.startswith(RETURNED)


def may_confirm(session: Session, address: str, now: datetime) -> bool:
    """Whether a sign-up of the address may be answered by a mail that asks to confirm it.

    An address that bounced may try again after a while, which grows with each bounce: the confirmation is the test.
    Whoever complained, or was suppressed by an operator, cannot be asked.
    """
    suppression = suppression_of(session, address)
    if suppression is None:
        return True
    if not has_bounced(session, address):
        return False
    subscriber = _subscriber_at(session, address)
    bounces = [event.at for event in subscriber.events if event.what == BOUNCED] if subscriber else []
    last: datetime = max(bounces, default=suppression.created_at)
    times_before = min(max(len(bounces) - 1, 0), 5)  # more would exceed MAX_WAIT
    wait: timedelta = min(FIRST_WAIT * WAIT_FACTOR**times_before, MAX_WAIT)
    return last + wait <= now


def is_suppressed(session: Session, address: str) -> bool:
    """Whether the address must not be mailed."""
    return suppression_of(session, address) is not None


def has_suppressed_address() -> ColumnElement[bool]:
    """The condition that a subscriber's address is suppressed."""
    return exists().where(Suppression.email == func.lower(Subscriber.email))
