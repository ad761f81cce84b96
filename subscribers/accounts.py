"""Accounts: sign up, confirm, change, pause, resume, unsubscribe; every change of a subscriber."""

import re
import secrets
from datetime import datetime, timedelta

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from issues.models import Issue, Paper
from subscribers.models import FREQUENCIES, LANGUAGES, Subscriber, Suppression

SIGN_UP_EXPIRES = timedelta(days=2)
NAME_LENGTH = 80


class AccountError(Exception):
    """What was asked of an account cannot be done; the message is for the person who asked."""


def normal_address(address: str) -> str:
    """The address as it is kept and mailed: domain in IDNA (ASCII) and lower case.

    Raises:
        AccountError: not an address, or one with a local part that needs SMTPUTF8 (RFC 6531).
    """
    try:
        found = validate_email(address.strip(), check_deliverability=False, allow_smtputf8=True, strict=True)
    except EmailNotValidError as error:
        raise AccountError(f"{address.strip()!r} is not an address that can be mailed: {error}") from None
    if not found.local_part.isascii():
        raise AccountError(
            f"{address.strip()!r} has letters before the @ that mail servers refuse; use plain letters"
        )
    return f"{found.local_part}@{found.ascii_domain}"


def find(session: Session, address: str) -> Subscriber | None:
    """The subscriber of an address, whatever its case."""
    wanted = normal_address(address)
    return session.scalar(select(Subscriber).where(func.lower(Subscriber.email) == wanted.lower()))


def sign_up(
    session: Session, address: str, *, language: str, frequency: str, name: str = "", now: datetime
) -> Subscriber:
    """A pending subscriber for the address; one that is known keeps its row and, if active, its state.

    Raises:
        AccountError: the address, language, frequency or name cannot be used.
    """
    _check(language, frequency)
    email = normal_address(address)
    known = find(session, address)
    if known and known.status in {"active", "paused"}:
        return known
    subscriber = known or Subscriber(email=email, cursor=0, handle=secrets.token_hex(8))
    subscriber.name = _clean_name(name)
    subscriber.language, subscriber.frequency = language, frequency
    subscriber.status, subscriber.created_at, subscriber.ended_at = "pending", now, None
    session.add(subscriber)
    session.flush()
    return subscriber


def confirm(session: Session, subscriber: Subscriber, now: datetime) -> None:
    """Make a pending subscriber active; the first digest brings the latest issue and what follows.

    One who left and came back goes on where they stopped if that is later: no paper comes twice.

    Raises:
        AccountError: the subscriber has not signed up anew since they left, or is suppressed.
    """
    if subscriber.status == "active":
        return
    if subscriber.status != "pending":
        raise AccountError("this confirmation is no longer valid: sign up again")
    if is_suppressed(session, subscriber.email):
        raise AccountError("mails to this address were returned or refused: it cannot be confirmed")
    subscriber.status, subscriber.confirmed_at = "active", now
    subscriber.cursor = max(subscriber.cursor, _before_latest_issue(session))


def change(
    session: Session, subscriber: Subscriber, *, language: str | None = None, frequency: str | None = None
) -> None:
    """Set language, frequency or both; what was read stays read.

    Raises:
        AccountError: an unknown language or frequency.
    """
    _check(language or subscriber.language, frequency or subscriber.frequency)
    subscriber.language = language or subscriber.language
    subscriber.frequency = frequency or subscriber.frequency
    session.flush()


def pause(subscriber: Subscriber) -> None:
    """Hold an active subscriber's mails; papers wait until `resume`.

    Raises:
        AccountError: the subscriber is not active.
    """
    _move(subscriber, "active", "paused")


def resume(subscriber: Subscriber) -> None:
    """Mail a paused subscriber again, beginning with what waited.

    Raises:
        AccountError: the subscriber is not paused.
    """
    _move(subscriber, "paused", "active")


def unsubscribe(subscriber: Subscriber, now: datetime) -> None:
    """End a subscription at once; ending it twice changes nothing."""
    if subscriber.status != "unsubscribed":
        subscriber.status, subscriber.ended_at = "unsubscribed", now


def suppress(session: Session, address: str, reason: str, now: datetime) -> None:
    """Never mail the address again, and end its subscription."""
    if not is_suppressed(session, address):
        session.add(Suppression(email=address.lower(), reason=reason, created_at=now))
    subscriber = session.scalar(select(Subscriber).where(func.lower(Subscriber.email) == address.lower()))
    if subscriber:
        subscriber.status, subscriber.ended_at = "bounced", now


def is_suppressed(session: Session, address: str) -> bool:
    """Whether the address must not be mailed."""
    return session.get(Suppression, address.lower()) is not None


def expire_sign_ups(session: Session, now: datetime) -> int:
    """Forget sign-ups that were never confirmed in time, and count them.

    One who was a reader before keeps their row, as unsubscribed, for the sake of their cursor.
    """
    late = Subscriber.status == "pending", Subscriber.created_at < now - SIGN_UP_EXPIRES
    expired = session.scalars(select(Subscriber).where(*late)).all()
    for subscriber in expired:
        if subscriber.confirmed_at:
            subscriber.status, subscriber.ended_at = "unsubscribed", now
    session.flush()
    session.execute(delete(Subscriber).where(*late))
    return len(expired)


def _check(language: str, frequency: str) -> None:
    if language not in LANGUAGES:
        raise AccountError(f"language {language!r} is not one of {', '.join(LANGUAGES)}")
    if frequency not in FREQUENCIES:
        raise AccountError(f"frequency {frequency!r} is not one of {', '.join(FREQUENCIES)}")


def _clean_name(name: str) -> str:
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029<>\"]+", " ", name).split())[:NAME_LENGTH]


def _move(subscriber: Subscriber, before: str, after: str) -> None:
    if subscriber.status == after:
        return
    if subscriber.status != before:
        raise AccountError(f"the subscription is {subscriber.status}, not {before}")
    subscriber.status = after


def _before_latest_issue(session: Session) -> int:
    latest = (
        select(Issue.id).where(Issue.revision > 0).order_by(Issue.week_start.desc(), Issue.id.desc()).limit(1)
    )
    first = session.scalar(select(func.min(Paper.number)).where(Paper.issue_id == latest.scalar_subquery()))
    return first - 1 if first else 0
