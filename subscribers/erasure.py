"""Forgetting a subscriber: erasing what is stored about them, and remembering only a keyed hash."""

import hashlib
import hmac
import secrets
from contextlib import suppress as suppress_error
from datetime import datetime

from sqlalchemy import delete, func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from subscribers.addresses import normal_address
from subscribers.models import ForgottenAddress, PastHandle, SignupRequest, Subscriber, Suppression
from subscribers.status import SubscriberStatus


def forget(session: Session, subscriber: Subscriber, key: bytes, now: datetime) -> None:
    """Erase the subscriber, and keep a keyed hash of the address so that no import adds it by mistake."""
    address = subscriber.email
    session.merge(ForgottenAddress(address_hash=address_hash(key, address), forgotten_at=now))
    both = [address.lower(), subscriber.new_email.lower()]
    session.execute(delete(SignupRequest).where(func.lower(SignupRequest.email).in_(both)))
    session.execute(delete(Suppression).where(Suppression.email.in_(both)))
    erase(session, subscriber)


def erase(session: Session, subscriber: Subscriber) -> None:
    """Delete a subscriber. While deliveries still refer to the row it is only emptied, and deleted later."""
    subscriber.email = f"forgotten-{subscriber.id}"
    subscriber.name = subscriber.new_email = ""
    subscriber.handle, subscriber.status = secrets.token_hex(8), SubscriberStatus.FORGOTTEN
    subscriber.events.clear()
    session.execute(delete(PastHandle).where(PastHandle.subscriber_id == subscriber.id))
    session.flush()
    with suppress_error(IntegrityError), session.begin_nested():
        session.delete(subscriber)
        session.flush()


def is_forgotten(session: Session, address: str, key: bytes) -> bool:
    """Whether the owner of the address asked to be forgotten."""
    return session.get(ForgottenAddress, address_hash(key, normal_address(address))) is not None


def address_hash(key: bytes, address: str) -> str:
    """The keyed hash that is kept of a forgotten address."""
    return hmac.new(key, b"forgotten\x00" + address.lower().encode(), hashlib.sha256).hexdigest()
