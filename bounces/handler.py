"""What is done about returned mail: reads each once, finds whose it is, suppresses, counts or leaves alone.

Anyone can write a mail that looks like a report. It is believed of a reader whose token it bears, or whom
it names together with the Message-ID of a mail that they were sent; nobody else is touched.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from bounces.dsn import ADDRESS, Recipient
from bounces.inbox import Mail, open_inbox
from bounces.parser import Returned, Token, read
from bounces.status_codes import meaning, status_of
from core.database import Sessions, lock
from core.run_log import record
from delivery import events
from delivery.models import Delivery, ReturnedMail
from emails.message import House
from mailings import account_mails
from subscribers.accounts import by_handle, suppress
from subscribers.models import Subscriber
from subscribers.tokens import LinkError, read_token

FULL_IN_A_ROW = 3  # digests returned by a mailbox that is full or off, before its address is given up
KEPT_FOR = timedelta(days=90)
MOST_KEPT = 1_000  # mails that were not understood, of KEPT_BYTES each
KEPT_BYTES = 64_000
_LONGEST_TRY = timedelta(days=6)  # a server gives up after five days (RFC 5321, 4.5.4.1)


@dataclass(frozen=True)
class Owner:
    """Whose mail came back, and which one if that can be told."""

    subscriber: Subscriber
    delivery: Delivery | None


@dataclass(frozen=True)
class Counted:
    """How many returned mails of a kind there were, with what status and what was done."""

    kind: str
    status: str
    action: str
    count: int


def read_inbox(url: str, sessions: Sessions, house: House, clock: Callable[[], datetime]) -> Counter[str]:
    """Take in all that is new in an inbox, and note the run; how many mails by what was done.

    Raises:
        InboxError: it cannot be opened or read; what was read until then is dealt with.
    """
    with open_inbox(url) as mails:
        done = take_in_all(sessions, mails, house, clock)
    with sessions.begin() as session:
        record(session, "bounces", dict(done), clock())
    return done


def take_in_all(
    sessions: Sessions, mails: Iterable[Mail], house: House, clock: Callable[[], datetime]
) -> Counter[str]:
    """Take in mails, each in a transaction of its own, and count them by what was done; see `take_in`.

    A mail is taken out of its inbox after its commit: one that a crash left there is known the next time.
    """
    done: Counter[str] = Counter()
    for mail in mails:
        with sessions.begin() as session:
            done[take_in(session, mail.raw, house, clock())] += 1
        mail.done()
    return done


def take_in(session: Session, raw: bytes, house: House, now: datetime) -> str:
    """Read one mail and do what it asks for; what was done.

    `suppressed`, `unsubscribed`, `counted` (a delivery failed, no more), `left alone` (delays, holiday
    notices and the like), `nobody's` (a report on no mail of ours), `kept` (not understood) or `known`
    (read before).
    """
    lock(session, "returned mail")
    digest = hashlib.sha256(raw).hexdigest()
    if session.scalar(select(ReturnedMail.id).where(ReturnedMail.digest == digest)):
        return "known"
    returned = read(raw)
    owner = _owner(session, returned, house, now)
    recipient = _recipient_of(returned, owner)
    said = _unaddressed(recipient.diagnostic or (returned.notice if returned.kind != "other" else ""))
    action = _act(session, returned.kind, owner, recipient, said, house, now)
    session.add(
        ReturnedMail(
            digest=digest,
            received_at=now,
            kind=returned.kind,
            status=recipient.status,
            action=action,
            said=said,
            raw=raw[:KEPT_BYTES] if _is_unclear(returned, owner, action) and _has_room(session) else None,
            subscriber_id=owner.subscriber.id if owner else _writer(session, returned),
            delivery_id=owner.delivery.id if owner and owner.delivery else None,
        )
    )
    session.flush()
    return action


def count(session: Session, since: datetime) -> list[Counted]:
    """The returned mails since a time by kind, status and action, most first."""
    kinds = (ReturnedMail.kind, ReturnedMail.status, ReturnedMail.action)
    rows = select(*kinds, func.count()).where(ReturnedMail.received_at >= since).group_by(*kinds)
    return [Counted(*row) for row in session.execute(rows.order_by(func.count().desc(), *kinds))]


def prune(session: Session, now: datetime) -> None:
    """Drop the mails that were kept for somebody to look at, when they are KEPT_FOR old."""
    old = update(ReturnedMail).where(ReturnedMail.received_at < now - KEPT_FOR, ReturnedMail.raw.is_not(None))
    session.execute(old.values(raw=None))


# --- what is done -------------------------------------------------------------------


def _act(
    session: Session,
    kind: str,
    owner: Owner | None,
    recipient: Recipient,
    said: str,
    house: House,
    now: datetime,
) -> str:
    if kind == "other":
        return "kept"
    if kind in {"delay", "delivered", "auto-reply"}:
        return "left alone"
    if owner is None:
        return "nobody's"
    if kind == "unsubscribe":
        account_mails.end(session, owner.subscriber, house, now, origin="mail")
        return "unsubscribed"
    if kind == "complaint":
        return _suppress(session, owner, "complaint", now)
    return _bounce(session, owner, recipient.status, said, now)


def _bounce(session: Session, owner: Owner, status: str, said: str, now: datetime) -> str:
    if owner.delivery:
        events.came_back(session, owner.delivery.id, f"{status} {said}".strip())
    what = meaning(status)
    if what == "dead":
        return _suppress(session, owner, f"returned: {status} {said}", now)
    if what == "full" and owner.delivery and _times_full(session, owner.delivery) >= FULL_IN_A_ROW:
        return _suppress(session, owner, f"returned {FULL_IN_A_ROW} times in a row: {status} {said}", now)
    return "counted"


def _suppress(session: Session, owner: Owner, reason: str, now: datetime) -> str:
    moves = owner.delivery is not None and owner.delivery.slot.startswith("move:")
    # A letter to an address that a reader wants to move to says nothing of the one they are mailed at.
    address = owner.subscriber.new_email if moves else owner.subscriber.email
    if not address:
        return "counted"
    suppress(session, address, reason, now)
    return "suppressed"


def _times_full(session: Session, delivery: Delivery) -> int:
    """How many digests in a row, with this one among them, a full mailbox did not take."""
    theirs = select(Delivery.id, Delivery.state, Delivery.reply).where(
        Delivery.subscriber_id == delivery.subscriber_id,
        Delivery.kind == "digest",
        Delivery.state.in_(("sent", "failed")),
    )
    rows = session.execute(theirs.order_by(Delivery.id.desc()).limit(20)).all()
    full = [(row.id, row.state == "failed" and meaning(status_of(row.reply)) == "full") for row in rows]
    rows_of = (list(group) for is_full, group in groupby(full, key=lambda entry: entry[1]) if is_full)
    return next((len(group) for group in rows_of if delivery.id in dict(group)), 0)


# --- whose it is --------------------------------------------------------------------


def _owner(session: Session, returned: Returned, house: House, now: datetime) -> Owner | None:
    named = _delivery_named(session, returned)
    subscriber = _by_token(session, returned, house, now.date())
    if (
        subscriber is None
        and named
        and returned.kind != "unsubscribe"
        and _is_about(returned, named.subscriber)
    ):
        subscriber = named.subscriber
    if subscriber is None or subscriber.status == "forgotten":
        return None
    is_theirs = named is not None and named.subscriber_id == subscriber.id
    return Owner(subscriber, named if is_theirs else _last_taken(session, subscriber, now))


def _by_token(session: Session, returned: Returned, house: House, today: date) -> Subscriber | None:
    """Who is named by a token: of an unsubscription that which it was sent to, of a report any."""
    if returned.kind == "unsubscribe":
        tokens: Sequence[Token] = [token for token in returned.addressed if token.purpose == "unsubscribe"]
    else:
        tokens = [token for token in returned.addressed if token.purpose == "bounce"]
        tokens = [*tokens, *returned.enclosed]
    for token in tokens[:10]:
        try:
            handle = read_token(house.key, token.purpose, token.text, today)
        except LinkError:
            continue
        if found := by_handle(session, handle):
            return found
    return None


def _delivery_named(session: Session, returned: Returned) -> Delivery | None:
    return session.scalar(select(Delivery).where(Delivery.message_id.in_(returned.message_ids)).limit(1))


def _is_about(returned: Returned, subscriber: Subscriber) -> bool:
    """Whether a report without a token names the reader; complaints may leave the address out (RFC 6590)."""
    theirs = {address.lower() for address in (subscriber.email, subscriber.new_email) if address}
    if returned.kind == "complaint" and not returned.addresses:
        return True
    return any(address.lower() in theirs for address in returned.addresses)


def _last_taken(session: Session, subscriber: Subscriber, now: datetime) -> Delivery | None:
    """The last mail to a reader that a server took, if it may still come back."""
    taken = select(Delivery).where(
        Delivery.subscriber_id == subscriber.id,
        Delivery.state.in_(("sent", "uncertain")),
        Delivery.settled_at > now - _LONGEST_TRY,
    )
    return session.scalar(taken.order_by(Delivery.settled_at.desc(), Delivery.id.desc()).limit(1))


def _recipient_of(returned: Returned, owner: Owner | None) -> Recipient:
    """What a report says of the reader; of another address if theirs is forwarded there."""
    email = owner.subscriber.email.lower() if owner else ""
    theirs = (
        entry for entry in returned.recipients if email in {entry.address.lower(), entry.original.lower()}
    )
    return next(theirs, next(iter(returned.recipients), Recipient("")))


def _writer(session: Session, returned: Returned) -> int | None:
    """The reader who seems to have written a mail: nothing is done to them, but they may be forgotten."""
    wrote = select(Subscriber.id).where(func.lower(Subscriber.email) == returned.sender.lower())
    return session.scalar(wrote) if returned.sender else None


def _unaddressed(words: str) -> str:
    """A server's words on one line, without the addresses that it repeats."""
    words = ADDRESS.sub("(address)", words[:5_000])
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", words).strip()[:300]


def _is_unclear(returned: Returned, owner: Owner | None, action: str) -> bool:
    """Whether somebody should look at it: no report at all, or one on a mail of ours without a reason."""
    return action == "kept" or bool(owner and returned.kind == "bounce" and not returned.status)


def _has_room(session: Session) -> bool:
    kept = session.scalar(select(func.count()).where(ReturnedMail.raw.is_not(None))) or 0
    return kept < MOST_KEPT
