"""The retry policy: what becomes of a claimed delivery after an attempt, or without one. Pure."""

from datetime import datetime, timedelta
from random import uniform
from typing import NamedTuple, assert_never

from delivery.states import DeliveryKind, DeliveryState
from delivery.status_codes import LASTING
from delivery.transport.base import FaultCategory, SendError
from emails.kinds import MailKind
from emails.message import Recipient

# Upkeep runs every 15 minutes (prefect.yaml) and sends the mails that are due by then. A shorter first back-off would
# have no effect.
INITIAL_BACKOFF = timedelta(minutes=15)
MAX_DOUBLINGS = 5  # 8 hours at most
BACKOFF_JITTER = 0.05  # a little more or less, so that not all deferred mails become due together
MAX_ATTEMPTS = 11  # with these back-offs, two days
MAX_WAIT_FOR_OUR_FAULT = timedelta(days=2)
MAX_REPLY_CHARACTERS = 500


class Claim(NamedTuple):
    """A delivery that a sender has leased. `due_at` is since when it was due, `settled_at` is as in its row.

    `may_have_arrived` says that an earlier attempt ended without an answer, so this one repeats it.
    """

    id: int
    edition_id: int
    subscriber_id: int
    kind: DeliveryKind
    mail_kind: MailKind
    message_id: str
    in_reply_to: str
    attempts: int
    may_have_arrived: bool
    due_at: datetime
    settled_at: datetime | None
    recipient: Recipient


class Outcome(NamedTuple):
    """What becomes of a claimed delivery: its new state, when it is due again, and what the server said.

    `dead_address` is an address that must not be mailed again. `is_refused` says that the address refused the mail in a
    way that can last, so it must not be mailed again either if it refuses digest after digest.
    """

    id: int
    state: DeliveryState
    reply: str
    attempts: int
    due_at: datetime | None
    settled_at: datetime | None
    dead_address: str = ""
    is_refused: bool = False


def sent(claim: Claim, reply: str, now: datetime) -> Outcome:
    """The server has accepted the message."""
    return Outcome(claim.id, DeliveryState.SENT, reply[:MAX_REPLY_CHARACTERS], claim.attempts + 1, None, now)


def not_sent(claim: Claim, error: SendError, now: datetime) -> Outcome:
    """The server has not accepted the message, or nobody knows whether it has."""
    if error.is_before_message:  # this mail was not attempted at all
        return Outcome(
            claim.id, DeliveryState.PLANNED, str(error), claim.attempts, claim.due_at, claim.settled_at
        )
    attempts = claim.attempts + 1
    match error.category:
        case FaultCategory.OURS:
            return _kept_for_our_fault(claim, error, now)
        case FaultCategory.UNKNOWN:
            return Outcome(claim.id, DeliveryState.UNCERTAIN, str(error), attempts, now, now)
        case FaultCategory.LATER if attempts < MAX_ATTEMPTS:
            due_at = now + _backoff(attempts)
            return Outcome(claim.id, DeliveryState.DEFERRED, str(error), attempts, due_at, now)
        case FaultCategory.LATER | FaultCategory.RECIPIENT:
            dead_address = claim.recipient.email if error.is_dead_address else ""
            is_refused = error.failure in LASTING
            return Outcome(
                claim.id, DeliveryState.FAILED, str(error), attempts, None, now, dead_address, is_refused
            )
        case _:
            assert_never(error.category)


def _kept_for_our_fault(claim: Claim, error: SendError, now: datetime) -> Outcome:
    """A fault of ours does not count as an attempt: a mail may be tried every minute until somebody corrects it.

    After two days the delivery fails all the same.
    """
    since = claim.settled_at or now
    if now - since < MAX_WAIT_FOR_OUR_FAULT:
        return Outcome(claim.id, DeliveryState.PLANNED, str(error), claim.attempts, now, since)
    return Outcome(claim.id, DeliveryState.FAILED, str(error), MAX_ATTEMPTS, None, now)


def _backoff(attempts: int) -> timedelta:
    """15 minutes after the first attempt, doubling up to 8 hours."""
    jitter = uniform(1 - BACKOFF_JITTER, 1 + BACKOFF_JITTER)  # noqa: S311  nothing secret depends on it
    return INITIAL_BACKOFF * (2.0 ** min(attempts - 1, MAX_DOUBLINGS) * jitter)


def postponed(claim: Claim, due_at: datetime) -> Outcome:
    """Nothing was attempted: the mail waits for its domain, or for the next run."""
    return Outcome(claim.id, DeliveryState.PLANNED, "", claim.attempts, due_at, claim.settled_at)


def unbuildable(claim: Claim, reason: str, now: datetime) -> Outcome:
    """No message can be built for the delivery."""
    reply = f"cannot be written: {reason}"[:MAX_REPLY_CHARACTERS]
    return Outcome(claim.id, DeliveryState.FAILED, reply, claim.attempts, None, now)
