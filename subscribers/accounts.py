"""Accounts: sign up, confirm, change, pause, resume, unsubscribe. Every change of a subscription is made here.

Each change adds an account event. Nothing here sends mail; `mailings.account_mails` does both together.
"""

import secrets
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from subscribers.addresses import MAX_NAME_LENGTH, AccountError, clean_line, normal_address
from subscribers.erasure import erase
from subscribers.events import record_event
from subscribers.first_papers import MAX_CATCH_UP, begin_at_latest_issue, catch_up
from subscribers.links import end_handle
from subscribers.models import Subscriber
from subscribers.status import SUBSCRIBED, SubscriberStatus
from subscribers.suppression import has_bounced, is_suppressed, lift, unsuppress

SIGNUP_LIFETIME = timedelta(days=2)  # within which a sign-up can be confirmed
MAX_REASON_LENGTH = 500


def find(session: Session, address: str) -> Subscriber | None:
    """The subscriber with an address, in whatever case.

    Raises:
        AccountError: it is not an address.
    """
    wanted = normal_address(address)
    return session.scalar(select(Subscriber).where(func.lower(Subscriber.email) == wanted.lower()))


# --- signing up ---------------------------------------------------------------------


def sign_up(
    session: Session,
    address: str,
    *,
    language: Language,
    frequency: Frequency,
    detail: Detail = Detail.FULL,
    name: str = "",
    now: datetime,
    origin: str = "",
) -> Subscriber:
    """A pending subscriber with the address. A known one keeps their row and, if subscribed, their status.

    Whoever left long ago and comes back, in whatever way, gets the latest issue first.

    Raises:
        AccountError: the address cannot be used.
    """
    email = normal_address(address)
    known = find(session, address)
    if known and known.status in SUBSCRIBED:
        return known
    if known:
        catch_up(session, known, now)  # now, because the day on which they left is forgotten below
    subscriber = known or Subscriber(email=email, cursor=0, handle=secrets.token_hex(8))
    subscriber.name = clean_line(name, MAX_NAME_LENGTH)
    subscriber.language, subscriber.frequency, subscriber.detail = language, frequency, detail
    subscriber.status, subscriber.created_at, subscriber.ended_at = SubscriberStatus.PENDING, now, None
    session.add(subscriber)
    record_event(subscriber, "signed up", now, origin, **_choices(subscriber))
    session.flush()
    return subscriber


def confirm(
    session: Session, subscriber: Subscriber, now: datetime, *, origin: str = "", wording: str = ""
) -> None:
    """Make a pending subscriber active. Their first digest brings the latest issue and what follows.

    A subscriber who had left and came back continues where they stopped if that is later, so that no paper
    comes twice. If the address had bounced, its suppression is lifted. `wording` names the version of the text that
    they agreed to.

    Raises:
        AccountError: there is no open sign-up, or the address is suppressed for another reason than a bounce.
    """
    if subscriber.status == SubscriberStatus.ACTIVE:
        return
    if subscriber.status != SubscriberStatus.PENDING:
        raise AccountError("this confirmation is no longer valid: sign up again")
    if is_suppressed(session, subscriber.email):
        if not has_bounced(session, subscriber.email):
            raise AccountError("mails to this address were reported or refused: it cannot be confirmed")
        lift(session, subscriber.email)  # the confirmation has arrived, so the mailbox works again
    subscriber.status, subscriber.confirmed_at = SubscriberStatus.ACTIVE, now
    subscriber.paused_until = None
    begin_at_latest_issue(session, subscriber)
    record_event(subscriber, "confirmed", now, origin, wording=wording)


def expired_sign_ups(session: Session, now: datetime) -> Sequence[Subscriber]:
    """Subscribers who signed up and did not confirm in time, or declined."""
    is_waiting = Subscriber.status == SubscriberStatus.PENDING
    has_declined = and_(Subscriber.status == SubscriberStatus.UNSUBSCRIBED, Subscriber.confirmed_at.is_(None))
    is_late = Subscriber.created_at < now - SIGNUP_LIFETIME
    return session.scalars(select(Subscriber).where(is_late, or_(is_waiting, has_declined))).all()


def expire(session: Session, subscriber: Subscriber, now: datetime) -> None:
    """Drop an unconfirmed sign-up. An earlier subscriber stays, as unsubscribed, so that their cursor is kept."""
    if subscriber.confirmed_at:
        unsubscribe(subscriber, now, origin="the sign-up expired")
    else:
        erase(session, subscriber)


# --- choices and pauses -------------------------------------------------------------


def change(
    session: Session,
    subscriber: Subscriber,
    now: datetime,
    *,
    language: Language | None = None,
    frequency: Frequency | None = None,
    detail: Detail | None = None,
    name: str | None = None,
    origin: str = "",
) -> None:
    """Set language, frequency, detail and name; what is None stays as it is. What has been read stays read."""
    before = _choices(subscriber)
    if name is not None:
        subscriber.name = clean_line(name, MAX_NAME_LENGTH)
    subscriber.language = language or subscriber.language
    subscriber.frequency = frequency or subscriber.frequency
    subscriber.detail = detail or subscriber.detail
    if _choices(subscriber) != before:
        record_event(subscriber, "changed", now, origin, **_choices(subscriber))
        session.flush()


def _choices(subscriber: Subscriber) -> dict[str, str]:
    """What the subscriber has chosen, as account events record it."""
    return {
        "language": subscriber.language,
        "frequency": subscriber.frequency,
        "detail": subscriber.detail,
    }


def pause(subscriber: Subscriber, now: datetime, *, until: date | None = None, origin: str = "") -> None:
    """Stop mails to an active subscriber until a day, or until they resume. Papers wait for them meanwhile.

    Raises:
        AccountError: the subscriber is neither active nor paused.
    """
    _change_status(subscriber, SubscriberStatus.ACTIVE, SubscriberStatus.PAUSED)
    subscriber.paused_until = until
    record_event(subscriber, "paused", now, origin, until=until.isoformat() if until else "")


def resume(subscriber: Subscriber, now: datetime, *, origin: str = "") -> None:
    """Mail a paused subscriber again, beginning with the papers that waited. An active one stays as they are.

    Raises:
        AccountError: the subscriber is neither active nor paused.
    """
    if subscriber.status == SubscriberStatus.ACTIVE:
        return
    _change_status(subscriber, SubscriberStatus.PAUSED, SubscriberStatus.ACTIVE)
    subscriber.paused_until = None
    record_event(subscriber, "resumed", now, origin)


def is_long_pause(subscriber: Subscriber, now: datetime) -> bool:
    """Whether a subscriber has been paused for so long that they should be asked whether to catch up."""
    paused = [event.at for event in subscriber.events if event.what == "paused"]
    return subscriber.status == SubscriberStatus.PAUSED and bool(paused) and paused[-1] + MAX_CATCH_UP < now


def skip_to_latest_issue(
    session: Session, subscriber: Subscriber, now: datetime, *, origin: str = ""
) -> None:
    """Leave out what a subscriber has missed: the latest issue comes next, or what follows it."""
    begin_at_latest_issue(session, subscriber)
    record_event(subscriber, "skipped to the latest issue", now, origin)


def resume_due(session: Session, now: datetime, today: date) -> int:
    """Resume everyone whose pause ends by `today`, and count them."""
    due = session.scalars(
        select(Subscriber).where(
            Subscriber.status == SubscriberStatus.PAUSED, Subscriber.paused_until <= today
        )
    ).all()
    for subscriber in due:
        resume(subscriber, now, origin="the pause ended")
    return len(due)


def count_joined(session: Session, since: datetime, until: datetime) -> int:
    """How many have confirmed their subscription after `since`, up to `until`."""
    joined = select(func.count()).where(Subscriber.confirmed_at > since, Subscriber.confirmed_at <= until)
    return session.scalar(joined) or 0


def _change_status(subscriber: Subscriber, before: SubscriberStatus, after: SubscriberStatus) -> None:
    if subscriber.status == after:
        return
    if subscriber.status != before:
        raise AccountError(f"the subscription is {subscriber.status}, not {before}")
    subscriber.status = after


# --- leaving and coming back --------------------------------------------------------


def unsubscribe(subscriber: Subscriber, now: datetime, *, origin: str = "", reason: str = "") -> None:
    """End a subscription at once. Ending it twice changes nothing, but a reason is still recorded."""
    if subscriber.status != SubscriberStatus.UNSUBSCRIBED:
        record_event(subscriber, "unsubscribed", now, origin, before=subscriber.status)
        subscriber.status, subscriber.ended_at = SubscriberStatus.UNSUBSCRIBED, now
    if reason:
        record_event(subscriber, "said why", now, origin, reason=clean_line(reason, MAX_REASON_LENGTH))


def return_by_link(session: Session, subscriber: Subscriber, now: datetime, *, origin: str = "") -> None:
    """Mail a subscriber again who had left, bounced or complained, and asks for it with a link from one of our mails.

    The link is only in their mailbox, so it says more than a form that anybody can send.

    Raises:
        AccountError: there is nothing to take back.
    """
    if is_suppressed(session, subscriber.email):
        unsuppress(session, subscriber.email, now, origin=origin)
    if subscriber.status not in SUBSCRIBED:
        undo_unsubscribe(session, subscriber, now, origin=origin)


def undo_unsubscribe(session: Session, subscriber: Subscriber, now: datetime, *, origin: str = "") -> None:
    """Take an unsubscription back, for someone who left by mistake.

    They get what they missed, as `first_papers.catch_up` says.

    Raises:
        AccountError: they have not unsubscribed, had never confirmed, or their address is suppressed.
    """
    if subscriber.status != SubscriberStatus.UNSUBSCRIBED or not subscriber.confirmed_at:
        raise AccountError("there is nothing to take back")
    if is_suppressed(session, subscriber.email):
        raise AccountError("mails to this address were returned or refused: sign up again")
    catch_up(session, subscriber, now)
    subscriber.status = SubscriberStatus.PAUSED if subscriber.paused_until else SubscriberStatus.ACTIVE
    subscriber.ended_at = None
    record_event(subscriber, "came back", now, origin)


# --- address and links --------------------------------------------------------------


def request_address_change(
    session: Session, subscriber: Subscriber, address: str, now: datetime, *, origin: str = ""
) -> None:
    """Remember the address that a subscriber wants to be mailed at, until it is confirmed there.

    Raises:
        AccountError: the address cannot be used.
    """
    subscriber.new_email = normal_address(address)
    record_event(subscriber, "asked to move", now, origin)
    session.flush()


def change_address(session: Session, subscriber: Subscriber, now: datetime, *, origin: str = "") -> None:
    """Mail the subscriber at the address they asked for. In the old mailbox only links to unsubscribe go on.

    Raises:
        AccountError: they asked for none, or the address has a subscription of its own.
    """
    if not subscriber.new_email:
        raise AccountError("this link has been used already")
    taken = find(session, subscriber.new_email)
    if taken and taken is not subscriber:
        raise AccountError("this address has a subscription of its own")
    subscriber.email, subscriber.new_email = subscriber.new_email, ""
    end_handle(session, subscriber, now)
    record_event(subscriber, "moved", now, origin)


def revoke_links(session: Session, subscriber: Subscriber, now: datetime, *, origin: str = "") -> None:
    """End all links sent so far, but for those to unsubscribe."""
    end_handle(session, subscriber, now)
    record_event(subscriber, "links revoked", now, origin)
