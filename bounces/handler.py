"""Handles bounce mails: records each one once, and suppresses, counts or ignores what it reports.

What counts is the enhanced status code of the bounce (RFC 3463). Only addresses that do not exist, those that
refuse digest after digest, and complaints lead to a suppression.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select, update
from sqlalchemy.exc import DataError, SQLAlchemyError
from sqlalchemy.orm import Session

from bounces.dsn import ADDRESS
from bounces.inbox import InboxMail, open_inbox
from bounces.matcher import BouncedSubscriber, find_sender_id, find_subscriber, recipient_of
from bounces.parser import BounceKind, ParsedBounce, parse_bounce
from bounces.probe import is_probe
from core.database import Sessions
from core.locks import advisory_lock
from core.run_log import RunKind, record_run
from delivery import events
from delivery.models import BounceMail
from delivery.refusals import MAX_REFUSED_DIGESTS, is_refused_for_good
from delivery.status_codes import LASTING, FailureKind, failure_kind
from emails.identity import MailIdentity
from mailings import account_mails
from subscribers.suppression import COMPLAINT, suppress

RAW_RETENTION = timedelta(days=90)
MAX_RAW_MAILS = 1_000  # mails that nobody has understood yet
MAX_RAW_BYTES = 64_000  # of each of them
MAX_REASON_CHARS = 300


class BounceAction(StrEnum):
    """What was done about a mail."""

    SUPPRESSED = "suppressed"
    UNSUBSCRIBED = "unsubscribed"
    COUNTED = "counted"  # the delivery failed, and nothing follows
    LEFT_ALONE = "left alone"  # delays, auto-replies, probes and the like
    NOBODYS = "nobody's"  # the mail proves nothing about any subscriber
    KEPT = "kept"  # the mail was not understood
    KNOWN = "known"  # the mail was handled before


def read_inbox(
    url: str, sessions: Sessions, identity: MailIdentity, clock: Callable[[], datetime]
) -> Counter[str]:
    """Handle all new mails in an inbox and record the run. Returns how many mails led to each action.

    Raises:
        InboxError: the inbox cannot be opened or read. The mails before the error stay handled.
    """
    with open_inbox(url) as mails:
        actions = handle_all(sessions, mails, identity, clock)
    with sessions.begin() as session:
        record_run(session, RunKind.BOUNCES, dict(actions), clock())
    return actions


def handle_all(
    sessions: Sessions, mails: Iterable[InboxMail], identity: MailIdentity, clock: Callable[[], datetime]
) -> Counter[str]:
    """Handle each mail in a transaction of its own. Returns how many mails led to each action.

    Each mail is marked as read only after its transaction has committed. A crash in between leaves the mail
    in the inbox, and the next reading recognises it by its hash. A mail that raises an error stays unread. The first
    such error is raised after the other mails, so that anybody's mail cannot stop the reading of all later ones.
    """
    actions: Counter[str] = Counter()
    errors: list[Exception] = []
    for mail in mails:
        try:
            with sessions.begin() as session:
                action = handle_mail(session, mail.raw, identity, clock())
        except Exception as error:
            if isinstance(error, SQLAlchemyError) and not isinstance(error, DataError):
                raise  # the database is at fault, so the other mails would fail as well
            errors.append(error)
            continue
        actions[action.value] += 1
        mail.mark_as_read()
    if errors:
        raise errors[0]
    return actions


def handle_mail(session: Session, raw: bytes, identity: MailIdentity, now: datetime) -> BounceAction:
    """Handle one mail and record it. A mail that was handled before and a probe change nothing."""
    if is_probe(raw):
        return BounceAction.LEFT_ALONE
    advisory_lock(session, "bounce mail")  # two readings of one inbox must not both handle a mail
    content_hash = hashlib.sha256(raw).hexdigest()
    if session.scalar(select(BounceMail.id).where(BounceMail.content_hash == content_hash)):
        return BounceAction.KNOWN
    bounce = parse_bounce(raw)
    match = find_subscriber(session, bounce, identity, now)
    recipient = recipient_of(bounce, match)
    reason = _without_addresses(
        recipient.diagnostic or (bounce.text if bounce.kind != BounceKind.OTHER else "")
    )
    action = _act(session, bounce.kind, match, recipient.status, reason, identity, now)
    keeps_raw = _requires_attention(bounce, match, action) and _has_room_for_raw_mail(session)
    session.add(
        BounceMail(
            content_hash=content_hash,
            received_at=now,
            kind=bounce.kind,
            status=recipient.status,
            action=action,
            reason=reason,
            raw=raw[:MAX_RAW_BYTES] if keeps_raw else None,
            subscriber_id=match.subscriber.id if match else find_sender_id(session, bounce),
            delivery_id=match.delivery.id if match and match.delivery else None,
        )
    )
    session.flush()
    return action


def discard_old_raw_mails(session: Session, now: datetime) -> None:
    """Delete the bytes of mails that were kept for the operator, after RAW_RETENTION. Their rows stay."""
    old = update(BounceMail).where(BounceMail.received_at < now - RAW_RETENTION, BounceMail.raw.is_not(None))
    session.execute(old.values(raw=None))


# --- actions ------------------------------------------------------------------------


def _act(
    session: Session,
    kind: BounceKind,
    match: BouncedSubscriber | None,
    status: str,
    reason: str,
    identity: MailIdentity,
    now: datetime,
) -> BounceAction:
    if kind == BounceKind.OTHER:
        return BounceAction.KEPT
    if kind in {BounceKind.DELAY, BounceKind.DELIVERED, BounceKind.AUTO_REPLY}:
        return BounceAction.LEFT_ALONE
    if match is None:
        return BounceAction.NOBODYS
    if kind == BounceKind.UNSUBSCRIBE:
        account_mails.unsubscribe(session, match.subscriber, identity, now, origin="mail")
        return BounceAction.UNSUBSCRIBED
    if kind == BounceKind.COMPLAINT:
        return _suppress(session, match, COMPLAINT, now)
    return _handle_bounce(session, match, status, reason, now)


def _handle_bounce(
    session: Session, match: BouncedSubscriber, status: str, reason: str, now: datetime
) -> BounceAction:
    if match.delivery:
        events.mark_bounced(session, match.delivery.id, f"{status} {reason}".strip())
    failure = failure_kind(status)
    if failure == FailureKind.NO_SUCH_ADDRESS:
        return _suppress(session, match, f"returned: {status} {reason}", now)
    if failure in LASTING and match.delivery and is_refused_for_good(session, match.delivery):
        refused = f"returned {MAX_REFUSED_DIGESTS} times in a row: {status} {reason}"
        return _suppress(session, match, refused, now)
    return BounceAction.COUNTED


def _suppress(session: Session, match: BouncedSubscriber, reason: str, now: datetime) -> BounceAction:
    if not match.address:
        return BounceAction.COUNTED
    suppress(session, match.address, reason, now)
    return BounceAction.SUPPRESSED


# --- the record of a mail -----------------------------------------------------------


def _without_addresses(text: str) -> str:
    """A server's text on one line, without the addresses that it repeats."""
    text = ADDRESS.sub("(address)", text[:5_000])
    # PostgreSQL accepts no NUL and no surrogates, and the other control characters would garble a log.
    text = re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", text)
    return text.strip()[:MAX_REASON_CHARS]


def _requires_attention(bounce: ParsedBounce, match: BouncedSubscriber | None, action: BounceAction) -> bool:
    """Whether the operator should look at a mail.

    That is a mail of no known kind, or a bounce of one of our mails that gives no status.
    """
    return action == BounceAction.KEPT or bool(
        match and bounce.kind == BounceKind.BOUNCE and not bounce.status
    )


def _has_room_for_raw_mail(session: Session) -> bool:
    kept = session.scalar(select(func.count()).where(BounceMail.raw.is_not(None))) or 0
    return kept < MAX_RAW_MAILS
