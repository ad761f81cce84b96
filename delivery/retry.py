"""What becomes of a claimed delivery when it was tried, or could not be. Pure."""

from datetime import datetime, timedelta
from random import uniform
from typing import NamedTuple

from delivery.transport.smtp.replies import BEFORE_MESSAGE, Refusal, Verdict
from emails.message import Reader

FIRST_PAUSE = timedelta(minutes=15)
MOST_ATTEMPTS = 11  # with these pauses, two days
GIVE_UP = timedelta(days=2)  # after a first refusal for a fault of ours


class Claim(NamedTuple):
    """A delivery that a sender holds; `due_at` is since when it was due, `settled_at` as in its row."""

    id: int
    edition_id: int
    subscriber_id: int
    kind: str
    letter: str
    message_id: str
    in_reply_to: str
    attempts: int
    due_at: datetime
    settled_at: datetime | None
    reader: Reader


class Outcome(NamedTuple):
    """What has become of a claimed delivery: its new state, when it is due again, and what the server said.

    `dead_address` is one that must not be mailed any more.
    """

    id: int
    state: str
    reply: str
    attempts: int
    due_at: datetime | None
    settled_at: datetime | None
    dead_address: str = ""


def sent(claim: Claim, reply: str, now: datetime) -> Outcome:
    """The server has taken the message."""
    return Outcome(claim.id, "sent", reply[:500], claim.attempts + 1, None, now)


def refused(claim: Claim, refusal: Refusal, verdict: Verdict, now: datetime) -> Outcome:
    """The server has not taken the message, or nobody knows; one that was tried for two days fails."""
    if refusal.phase in BEFORE_MESSAGE:  # nothing of this mail was tried
        return Outcome(claim.id, "planned", str(refusal), claim.attempts, claim.due_at, claim.settled_at)
    if verdict.state == "planned":
        return _kept(claim, refusal, now)
    attempts, state = claim.attempts + 1, str(verdict.state)
    if state == "deferred" and attempts >= MOST_ATTEMPTS:
        state = "failed"
    due_at = {"uncertain": now, "deferred": now + _pause(attempts)}.get(state)
    dead_address = claim.reader.email if verdict.suppress else ""
    return Outcome(claim.id, state, str(refusal), attempts, due_at, now, dead_address)


def _kept(claim: Claim, refusal: Refusal, now: datetime) -> Outcome:
    """A fault of ours is no attempt: some look each minute, and it takes hours to mend. In two days it is."""
    since = claim.settled_at or now
    if now - since < GIVE_UP:
        return Outcome(claim.id, "planned", str(refusal), claim.attempts, now, since)
    return Outcome(claim.id, "failed", str(refusal), MOST_ATTEMPTS, None, now)


def _pause(attempts: int) -> timedelta:
    """15 minutes growing to 8 hours, and a little more or less, so that not all come back at once."""
    return FIRST_PAUSE * (2.0 ** min(attempts - 1, 5) * uniform(0.95, 1.05))  # noqa: S311  no secret


def postponed(claim: Claim, due_at: datetime) -> Outcome:
    """Nothing was tried: the mail waits for its domain's turn, or for the next run."""
    return Outcome(claim.id, "planned", "", claim.attempts, due_at, claim.settled_at)


def unwritable(claim: Claim, reason: str, now: datetime) -> Outcome:
    """No mail can be made of the delivery."""
    return Outcome(claim.id, "failed", f"cannot be written: {reason}"[:500], claim.attempts, None, now)
