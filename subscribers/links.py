"""The handles that subscribers' links carry: whose a handle is, and ending one.

A handle that has ended still serves for unsubscribing, because a link to unsubscribe works for ever.
"""

import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from subscribers.models import PastHandle, Subscriber


def by_handle(session: Session, handle: str, *, locks: bool = False) -> Subscriber | None:
    """The subscriber whose links carry the handle now.

    With `locks` nobody else can end the handle before the transaction ends. If somebody is just doing so, the result is
    None, because PostgreSQL looks at the row again once it has the lock.
    """
    found = select(Subscriber).where(Subscriber.handle == handle)
    return session.scalar(found.with_for_update() if locks else found)


def by_any_handle(session: Session, handle: str) -> Subscriber | None:
    """The subscriber whose links carry the handle, or have carried it."""
    found = by_handle(session, handle)
    past = None if found else session.get(PastHandle, handle)
    return session.get(Subscriber, past.subscriber_id) if past else found


def end_handle(session: Session, subscriber: Subscriber, now: datetime) -> None:
    """Give a subscriber a new handle. The links sent so far only serve for unsubscribing from now on."""
    session.add(PastHandle(handle=subscriber.handle, subscriber_id=subscriber.id, ended_at=now))
    subscriber.handle = secrets.token_hex(8)
