"""Accounts: sign up, confirm, change, pause, resume, unsubscribe, forget; every change of a subscriber.

Each change leaves an event, with where it came from: together they are the record of consent.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress as suppress_error
from datetime import date, datetime, timedelta

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.database import upsert
from issues.models import Issue, Paper
from subscribers.models import (
    FREQUENCIES,
    LANGUAGES,
    AccountEvent,
    Application,
    Forgotten,
    Subscriber,
    Suppression,
)

SIGN_UP_EXPIRES = timedelta(days=2)
AWAY = timedelta(days=30)
NAME_LENGTH = 80
REASON_LENGTH = 500


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


def by_handle(session: Session, handle: str) -> Subscriber | None:
    """The subscriber whom a link names."""
    return session.scalar(select(Subscriber).where(Subscriber.handle == handle))


def sign_up(
    session: Session,
    address: str,
    *,
    language: str,
    frequency: str,
    name: str = "",
    now: datetime,
    origin: str = "",
) -> Subscriber:
    """A pending subscriber for the address; one that is known keeps its row and, if active, its state.

    Raises:
        AccountError: the address, language, frequency or name cannot be used.
    """
    check_choice(language, frequency)
    email = normal_address(address)
    known = find(session, address)
    if known and known.status in {"active", "paused"}:
        return known
    subscriber = known or Subscriber(email=email, cursor=0, handle=secrets.token_hex(8))
    subscriber.name = clean_line(name, NAME_LENGTH)
    subscriber.language, subscriber.frequency = language, frequency
    subscriber.status, subscriber.created_at, subscriber.ended_at = "pending", now, None
    session.add(subscriber)
    _note(subscriber, "signed up", now, origin, language=language, frequency=frequency)
    session.flush()
    return subscriber


def confirm(
    session: Session, subscriber: Subscriber, now: datetime, *, origin: str = "", wording: str = ""
) -> None:
    """Make a pending subscriber active; the first digest brings the latest issue and what follows.

    One who left and came back goes on where they stopped if that is later: no paper comes twice.
    `wording` names the version of the text that was agreed to.

    Raises:
        AccountError: the subscriber has not signed up anew since they left, or is suppressed.
    """
    if subscriber.status == "active":
        return
    if subscriber.status != "pending":
        raise AccountError("this confirmation is no longer valid: sign up again")
    if is_suppressed(session, subscriber.email):
        raise AccountError("mails to this address were returned or refused: it cannot be confirmed")
    subscriber.status, subscriber.confirmed_at, subscriber.paused_until = "active", now, None
    subscriber.cursor = max(subscriber.cursor, before_latest_issue(session))
    _note(subscriber, "confirmed", now, origin, wording=wording)


def change(
    session: Session,
    subscriber: Subscriber,
    now: datetime,
    *,
    language: str | None = None,
    frequency: str | None = None,
    origin: str = "",
) -> None:
    """Set language, frequency or both; what was read stays read.

    Raises:
        AccountError: an unknown language or frequency.
    """
    check_choice(language or subscriber.language, frequency or subscriber.frequency)
    if language in {None, subscriber.language} and frequency in {None, subscriber.frequency}:
        return
    subscriber.language = language or subscriber.language
    subscriber.frequency = frequency or subscriber.frequency
    _note(subscriber, "changed", now, origin, language=subscriber.language, frequency=subscriber.frequency)
    session.flush()


def pause(subscriber: Subscriber, now: datetime, *, until: date | None = None, origin: str = "") -> None:
    """Hold an active subscriber's mails, `until` a day or for good; papers wait until `resume`.

    Raises:
        AccountError: the subscriber is not active.
    """
    _move(subscriber, "active", "paused")
    subscriber.paused_until = until
    _note(subscriber, "paused", now, origin, until=until.isoformat() if until else "")


def resume(subscriber: Subscriber, now: datetime, *, origin: str = "") -> None:
    """Mail a paused subscriber again, beginning with what waited; an active one is mailed already.

    Raises:
        AccountError: the subscriber is neither.
    """
    if subscriber.status == "active":
        return
    _move(subscriber, "paused", "active")
    subscriber.paused_until = None
    _note(subscriber, "resumed", now, origin)


def resume_due(session: Session, now: datetime, today: date) -> int:
    """Resume all whose pause ends `today` or ended before, and count them."""
    due = session.scalars(
        select(Subscriber).where(Subscriber.status == "paused", Subscriber.paused_until <= today)
    ).all()
    for subscriber in due:
        resume(subscriber, now, origin="the pause ended")
    return len(due)


def unsubscribe(subscriber: Subscriber, now: datetime, *, origin: str = "", reason: str = "") -> None:
    """End a subscription at once; ending it twice changes nothing but the reason."""
    if subscriber.status != "unsubscribed":
        _note(subscriber, "unsubscribed", now, origin, before=subscriber.status)
        subscriber.status, subscriber.ended_at = "unsubscribed", now
    if reason:
        _note(subscriber, "said why", now, origin, reason=clean_line(reason, REASON_LENGTH))


def undo_unsubscribe(session: Session, subscriber: Subscriber, now: datetime, *, origin: str = "") -> None:
    """Take an unsubscription back, as a reader who left by mistake does; what they missed since comes,
    but after AWAY only the latest issue.

    Raises:
        AccountError: the subscriber has not unsubscribed, never confirmed, or is suppressed.
    """
    if subscriber.status != "unsubscribed" or not subscriber.confirmed_at:
        raise AccountError("there is nothing to take back")
    if is_suppressed(session, subscriber.email):
        raise AccountError("mails to this address were returned or refused: sign up again")
    if subscriber.ended_at and subscriber.ended_at + AWAY < now:
        subscriber.cursor = max(subscriber.cursor, before_latest_issue(session))
    subscriber.status = "paused" if subscriber.paused_until else "active"
    subscriber.ended_at = None
    _note(subscriber, "came back", now, origin)


def ask_to_move(
    session: Session, subscriber: Subscriber, address: str, now: datetime, *, origin: str = ""
) -> None:
    """Keep an address that the subscriber wants to be mailed at, until it is confirmed there.

    Raises:
        AccountError: the address cannot be used.
    """
    subscriber.new_email = normal_address(address)
    _note(subscriber, "asked to move", now, origin)
    session.flush()


def move(session: Session, subscriber: Subscriber, now: datetime, *, origin: str = "") -> None:
    """Mail the subscriber at the address they asked for from now on; links in the old mailbox end.

    Raises:
        AccountError: there is none, or it belongs to another subscription.
    """
    if not subscriber.new_email:
        raise AccountError("this link has been used already")
    taken = find(session, subscriber.new_email)
    if taken and taken is not subscriber:
        raise AccountError("this address has a subscription of its own")
    subscriber.email, subscriber.new_email = subscriber.new_email, ""
    subscriber.handle = secrets.token_hex(8)
    _note(subscriber, "moved", now, origin)


def revoke_links(subscriber: Subscriber, now: datetime, *, origin: str = "") -> None:
    """End all links sent so far."""
    subscriber.handle = secrets.token_hex(8)
    _note(subscriber, "links revoked", now, origin)


def forget(session: Session, subscriber: Subscriber, key: bytes, now: datetime) -> None:
    """Erase the subscriber, and keep a keyed hash of the address so that it is not mailed by mistake."""
    address = subscriber.email
    session.merge(Forgotten(digest=forgotten_digest(key, address), forgotten_at=now))
    both = [address.lower(), subscriber.new_email.lower()]
    session.execute(delete(Application).where(func.lower(Application.email).in_(both)))
    session.execute(delete(Suppression).where(Suppression.email.in_(both)))
    drop(session, subscriber)


def drop(session: Session, subscriber: Subscriber) -> None:
    """Erase a subscriber; a row that mails still refer to is emptied, and goes when the outbox lets it."""
    subscriber.email = f"forgotten-{subscriber.id}"
    subscriber.name = subscriber.new_email = ""
    subscriber.handle, subscriber.status = secrets.token_hex(8), "forgotten"
    subscriber.events.clear()
    session.flush()
    with suppress_error(IntegrityError), session.begin_nested():
        session.delete(subscriber)
        session.flush()


def is_forgotten(session: Session, address: str, key: bytes) -> bool:
    """Whether the address's owner asked to be forgotten."""
    return session.get(Forgotten, forgotten_digest(key, normal_address(address))) is not None


def forgotten_digest(key: bytes, address: str) -> str:
    """What is kept of a forgotten address."""
    return hmac.new(key, b"forgotten\x00" + address.lower().encode(), hashlib.sha256).hexdigest()


def suppress(session: Session, address: str, reason: str, now: datetime) -> None:
    """Never mail the address again, and end its subscription."""
    row = upsert(session, Suppression).values(email=address.lower(), reason=reason, created_at=now)
    session.execute(row.on_conflict_do_nothing())  # two senders may hear it at once
    subscriber = session.scalar(select(Subscriber).where(func.lower(Subscriber.email) == address.lower()))
    if subscriber and subscriber.status != "bounced":
        _note(subscriber, "bounced", now, "", before=subscriber.status)
        subscriber.status, subscriber.ended_at = "bounced", subscriber.ended_at or now


def is_suppressed(session: Session, address: str) -> bool:
    """Whether the address must not be mailed."""
    return session.get(Suppression, address.lower()) is not None


def expired_sign_ups(session: Session, now: datetime) -> Sequence[Subscriber]:
    """Those who signed up and did not confirm in time, whether they waited or said no."""
    waited = Subscriber.status == "pending"
    said_no = and_(Subscriber.status == "unsubscribed", Subscriber.confirmed_at.is_(None))
    late = Subscriber.created_at < now - SIGN_UP_EXPIRES
    return session.scalars(select(Subscriber).where(late, or_(waited, said_no))).all()


def expire(session: Session, subscriber: Subscriber, now: datetime) -> None:
    """Drop a sign-up; one who was a reader before stays, as unsubscribed, for the sake of their cursor."""
    if subscriber.confirmed_at:
        unsubscribe(subscriber, now, origin="the sign-up expired")
    else:
        drop(session, subscriber)


def check_choice(language: str, frequency: str) -> None:
    """Make sure that there are mails of this kind.

    Raises:
        AccountError: an unknown language or frequency.
    """
    if language not in LANGUAGES:
        raise AccountError(f"language {language!r} is not one of {', '.join(LANGUAGES)}")
    if frequency not in FREQUENCIES:
        raise AccountError(f"frequency {frequency!r} is not one of {', '.join(FREQUENCIES)}")


def clean_line(text: str, length: int) -> str:
    """One line of at most `length` characters, without what could be more than text in a mail."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029<>\"]+", " ", text).split())[:length]


def _note(subscriber: Subscriber, what: str, now: datetime, origin: str, **detail: str) -> None:
    said = {"from": origin, **detail}
    subscriber.events.append(
        AccountEvent(at=now, what=what, detail={name: value for name, value in said.items() if value})
    )


def _move(subscriber: Subscriber, before: str, after: str) -> None:
    if subscriber.status == after:
        return
    if subscriber.status != before:
        raise AccountError(f"the subscription is {subscriber.status}, not {before}")
    subscriber.status = after


def before_latest_issue(session: Session) -> int:
    """The cursor of a new reader: what they get first is the latest issue."""
    latest = (
        select(Issue.id).where(Issue.revision > 0).order_by(Issue.week_start.desc(), Issue.id.desc()).limit(1)
    )
    first = session.scalar(select(func.min(Paper.number)).where(Paper.issue_id == latest.scalar_subquery()))
    return first - 1 if first else 0
