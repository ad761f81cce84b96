"""The handles that subscribers' links carry: whose a handle is, and ending one.

A handle that has ended still serves for unsubscribing, because a link to unsubscribe works for ever.
"""

import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from subscribers.models import PastHandle, Subscriber


def by_handle(session: Session, handle: str) -> Subscriber | None:
    """The subscriber whose links carry the handle now."""
    return session.scalar(select(Subscriber).where(Subscriber.handle == handle))


def by_any_handle(session: Session, handle: str) -> Subscriber | None:
    """The subscriber whose links carry the handle, or have carried it."""
    found = by_handle(session, handle)
    past = None if found else session.get(PastHandle, handle)
    return session.get(Subscriber, past.subscriber_id) if past else found


def end_handle(session: Session, subscriber: Subscriber, now: datetime) -> None:
    """Give a subscriber a new handle. The links sent so far only serve for unsubscribing from now on."""
    session.add(PastHandle(handle=subscriber.handle, subscriber_id=subscriber.id, ended_at=now))
    subscriber.handle = secrets.token_hex(8)
