"""What readers ask for and what they are told: each change of an account with the mail it causes.

Every function leaves account and outbox as they belong together; the caller commits and sends.
"""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from delivery import events, planner
from emails.letters import reader_letter
from emails.message import House
from emails.rendering.render import RenderError
from issues.arrivals import arrivals
from mailings.digest_run import Rules, next_mail
from subscribers import accounts
from subscribers.accounts import AccountError
from subscribers.models import Application, Subscriber

MOVES = 3  # letters a day to addresses that a reader wants to move to: people mistype
ONCE_IN = timedelta(days=1)  # between two letters of a kind that anybody can have sent to an address


def answer_applications(session: Session, house: House, now: datetime) -> list[str]:
    """Answer all sign-ups received, by a mail at most; what was done for each: `invited`, `reminded`
    or `nothing`."""
    done = []
    # Other pages may be answering some at this moment.
    received = select(Application).order_by(Application.id).with_for_update(skip_locked=True)
    for application in session.scalars(received).all():
        try:
            done.append(_answer(session, application, house, now))
        except AccountError:  # the form took an address that is refused today
            done.append("nothing")
        session.delete(application)
        session.flush()
    return done


def _answer(session: Session, application: Application, house: House, now: datetime) -> str:
    if accounts.is_suppressed(session, application.email):
        return "nothing"
    known = accounts.find(session, application.email)
    if known and known.status in {"active", "paused"}:
        return "reminded" if write_once(session, known, "reminder", house, now) else "nothing"
    if known and _was_invited(session, known, now):
        return "nothing"
    pending = accounts.sign_up(
        session,
        application.email,
        language=application.language,
        frequency=application.frequency,
        now=now,
        origin=application.network,
    )
    write(session, pending, "confirmation", house, now)
    return "invited"


def _was_invited(session: Session, known: Subscriber, now: datetime) -> bool:
    """Whether a confirmation is open already; one who left since may be asked anew."""
    since = now - ONCE_IN
    if known.status != "pending" and known.ended_at:
        since = max(since, known.ended_at)
    return planner.letters_since(session, known.id, "confirmation", since) > 0


def confirm(
    session: Session, subscriber: Subscriber, house: House, rules: Rules, now: datetime, *, origin: str
) -> None:
    """Begin a subscription and welcome the reader, with the latest issue; once confirmed, nothing more.

    Raises:
        AccountError: the sign-up is no longer open.
    """
    if subscriber.status == "active":
        return
    if subscriber.status == "pending" and subscriber.created_at + accounts.SIGN_UP_EXPIRES < now:
        raise AccountError("this confirmation is no longer valid: sign up again")
    accounts.confirm(session, subscriber, now, origin=origin, wording=_wording(subscriber))
    session.flush()
    _welcome(session, subscriber, house, rules, now)


def _wording(subscriber: Subscriber) -> str:
    """Names the version of the text that the subscriber agreed to."""
    letter = reader_letter("confirmation", subscriber.language, subscriber.frequency)
    return hashlib.sha256(letter.text.encode()).hexdigest()[:12]


def _welcome(session: Session, subscriber: Subscriber, house: House, rules: Rules, now: datetime) -> None:
    arrived, _ = arrivals(session, now, rules.settle, after=subscriber.cursor)
    try:
        mail = next_mail(
            arrived,
            subscriber.cursor,
            slot=planner.WELCOME,
            language=subscriber.language,
            frequency=subscriber.frequency,
            house=house,
            rules=rules,
            purpose="welcome",
        )
    except RenderError:  # the digest's run will tell the operator; the reader is welcome all the same
        mail = None
    if mail is None:
        write(session, subscriber, "welcome", house, now)
        return
    edition, rendered = mail
    row = planner.add_edition(session, planner.draft(edition, rendered, subscriber.cursor, now))
    planner.plan(
        session,
        row,
        who=Subscriber.id == subscriber.id,
        cursor=edition.papers[-1].number,
        domain=house.domain,
        now=now,
        slot=f"{planner.WELCOME}:{now:%Y%m%dT%H%M%S}",
    )


def end(
    session: Session, subscriber: Subscriber, house: House, now: datetime, *, origin: str, reason: str = ""
) -> None:
    """End a subscription at once and say farewell, the first time."""
    was_reader = subscriber.status in {"active", "paused"}
    accounts.unsubscribe(subscriber, now, origin=origin, reason=reason)
    session.flush()
    if was_reader:
        write_once(session, subscriber, "farewell", house, now)


def ask_to_move(
    session: Session, subscriber: Subscriber, address: str, house: House, now: datetime, *, origin: str
) -> None:
    """Write to an address that a reader wants to be mailed at, unless it has a subscription of its own.

    Raises:
        AccountError: it is no address that can be mailed.
    """
    accounts.ask_to_move(session, subscriber, address, now, origin=origin)
    taken = accounts.find(session, subscriber.new_email)
    if taken is None and not accounts.is_suppressed(session, subscriber.new_email):
        write_once(session, subscriber, "move", house, now, most=MOVES)


def forget(session: Session, subscriber: Subscriber, house: House, now: datetime) -> None:
    """Erase all that is stored of a reader."""
    events.call_off(session, subscriber.id)
    accounts.forget(session, subscriber, house.key, now)


def expire_sign_ups(session: Session, now: datetime) -> int:
    """Drop the sign-ups that were not confirmed in time, and count them."""
    expired = accounts.expired_sign_ups(session, now)
    for subscriber in expired:
        if not subscriber.confirmed_at:
            events.call_off(session, subscriber.id)
        accounts.expire(session, subscriber, now)
    session.flush()
    return len(expired)


def write(session: Session, subscriber: Subscriber, kind: str, house: House, now: datetime) -> None:
    """Plan a letter to a reader."""
    letter = reader_letter(kind, subscriber.language, subscriber.frequency)
    planner.plan_letter(session, letter, subscriber.id, domain=house.domain, now=now)


def write_once(
    session: Session, subscriber: Subscriber, kind: str, house: House, now: datetime, *, most: int = 1
) -> bool:
    """Plan a letter unless as many of its kind were planned within a day; whether it was."""
    if planner.letters_since(session, subscriber.id, kind, now - ONCE_IN) >= most:
        return False
    write(session, subscriber, kind, house, now)
    return True
