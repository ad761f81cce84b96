"""The outbox: claim, announce, settle. Every change that sending makes of a delivery is in this file; what else
becomes of one is in `emails.afterwards`.

A sender claims deliveries for a while and announces each before its final dot. Its claim is a fence: what
it does not hold any more (another took over when it was silent for too long) it can neither announce nor
settle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import uniform
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from core.database import Prepared
from emails.message import Reader
from emails.models import Delivery, EditionRow
from emails.planning import PROMPT
from emails.replies import BEFORE_MESSAGE, Refusal, Verdict
from subscribers.accounts import find, suppress
from subscribers.models import Subscriber, Suppression

FIRST_PAUSE = timedelta(minutes=15)
MOST_ATTEMPTS = 11  # with these pauses, two days
HELD = ("claimed", "sending")
_STATUS_FOR_LETTER = {"confirmation": "pending", "welcome": "active", "farewell": "unsubscribed"}


def _is_suppressed(address: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(Suppression.email == func.lower(address))


# Of tables and made once, as they run for every few mails: to build a statement takes longer than to run it.
_deliveries, _subscribers, _editions = Delivery.__table__, Subscriber.__table__, EditionRow.__table__
_DUE = (
    select(
        *_deliveries.c["id", "edition_id", "subscriber_id", "kind", "message_id", "in_reply_to"],
        *_deliveries.c["state", "attempts", "repeats", "due_at"],
        _editions.c.slot,
        *_subscribers.c["email", "new_email", "name", "handle", "language"],
    )
    .join_from(_deliveries, _subscribers)
    .join(_editions)
    .where(
        _deliveries.c.queue == bindparam("queue"),
        _deliveries.c.due_at <= bindparam("now"),
        _deliveries.c.claim != bindparam("token"),
    )
    .order_by(_deliveries.c.due_at, _deliveries.c.id)
    .limit(bindparam("most"))
    .with_for_update(of=_deliveries, skip_locked=True)
)
_is_held_by_token = and_(
    _deliveries.c.claim == bindparam("b_token"), or_(*(_deliveries.c.state == state for state in HELD))
)
_SEND_DIGESTS = Prepared(
    update(_deliveries)  # type: ignore[arg-type]  # the table of a class, which its type does not say
    .where(
        _deliveries.c.id == bindparam("b_id"),
        _is_held_by_token,
        exists().where(
            _subscribers.c.id == bindparam("b_reader"),
            _subscribers.c.status == "active",
            _subscribers.c.email == bindparam("b_email"),
            ~_is_suppressed(_subscribers.c.email),
        ),
    )
    .values(state="sending", attempts=bindparam("attempts"))
)
_HELD_NOW = (
    select(
        _deliveries.c.id,
        *_subscribers.c["status", "email", "new_email"],
        _is_suppressed(_subscribers.c.email).label("is_suppressed"),
        _is_suppressed(_subscribers.c.new_email).label("is_new_suppressed"),
    )
    .join_from(_deliveries, _subscribers)
    .where(_deliveries.c.id.in_(bindparam("ids", expanding=True)), _is_held_by_token)
    .with_for_update(of=_deliveries)
)
_SETTLE = Prepared(
    update(_deliveries)  # type: ignore[arg-type]  # likewise
    .where(
        _deliveries.c.id == bindparam("b_id"),
        _deliveries.c.claim == bindparam("b_token"),
        # One that was taken for lost meanwhile, and not yet repeated, is settled all the same.
        or_(*(_deliveries.c.state == state for state in (*HELD, "uncertain"))),
    )
    .values(
        claim="", **{name: bindparam(name) for name in ("state", "reply", "attempts", "due_at", "settled_at")}
    )
)


@dataclass(frozen=True)
class Hold:
    """Who claims deliveries, and until when nobody else takes them if the holder is silent."""

    token: str
    until: datetime


class Claim(NamedTuple):
    """A delivery that a sender holds; `due_at` is since when it was due."""

    id: int
    edition_id: int
    subscriber_id: int
    kind: str
    letter: str
    message_id: str
    in_reply_to: str
    attempts: int
    due_at: datetime
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


# --- claim --------------------------------------------------------------------------


def queues(session: Session) -> list[str]:
    """The queues in which something waits, what somebody waits for first."""
    found: list[str] = []
    waits = select(func.min(Delivery.queue)).where(Delivery.due_at.is_not(None))
    while (queue := session.scalar(waits.where(Delivery.queue > (found[-1] if found else "")))) is not None:
        found.append(queue)
    return sorted(found, key=lambda queue: queue != PROMPT)


def claim(
    session: Session, queue: str, hold: Hold, *, now: datetime, repeat_uncertain: bool, limit: int
) -> list[Claim]:
    """Up to `limit` deliveries of the queue that are due, the longest due first.

    Those that another sender held and was sending when it fell silent become uncertain.
    """
    connection = session.connection()
    due = {"queue": queue, "now": now, "token": hold.token, "most": limit}
    while rows := connection.execute(_DUE, due).all():
        lost = [row.id for row in rows if row.state == "sending"]
        mark_uncertain(session, lost, now)
        uncertain = [row for row in rows if row.state == "uncertain"]
        spent = [row.id for row in uncertain if row.repeats or not repeat_uncertain]
        _change(session, spent, due_at=None)
        left_out = {*lost, *spent}
        taken = [row for row in rows if row.id not in left_out]
        again = [row.id for row in uncertain if row.id not in left_out]
        _change(session, again, repeats=Delivery.repeats + 1)
        _change(session, [row.id for row in taken], state="claimed", claim=hold.token, due_at=hold.until)
        if taken:
            return [_claim_of(row) for row in taken]
    return []


def _claim_of(row: Row[Any]) -> Claim:
    (
        id_, edition_id, subscriber_id, kind, message_id, in_reply_to,
        _, attempts, _, due_at,
        slot,
        email, new_email, name, handle, language,
    ) = row  # fmt: skip
    letter = slot if kind == "letter" else ""
    return Claim(
        id_,
        edition_id,
        subscriber_id,
        kind,
        letter,
        message_id,
        in_reply_to,
        attempts,
        due_at,
        Reader(new_email if letter == "move" else email, name, handle, language),
    )


def mark_uncertain(session: Session, ids: Sequence[int], now: datetime) -> None:
    """Their sender fell silent while the server had the messages."""
    reply = "the sender stopped while the server had the message"
    _change(session, ids, state="uncertain", reply=reply, settled_at=now, due_at=now)


def recover(session: Session, now: datetime) -> None:
    """Take up what dead senders left. Only where nobody else can be sending."""
    held = select(Delivery.id).where(Delivery.due_at.is_not(None))
    mark_uncertain(session, session.scalars(held.where(Delivery.state == "sending")).all(), now)
    claimed = update(Delivery).where(Delivery.due_at.is_not(None), Delivery.state == "claimed")
    session.execute(claimed.values(state="planned", due_at=now, claim=""))


def renew(session: Session, ids: Sequence[int], hold: Hold) -> None:
    """Hold claimed deliveries for longer."""
    _change(session, ids, _is_held(hold.token), due_at=hold.until)


def put_back(session: Session, ids: Sequence[int], hold: Hold) -> None:
    """Claimed deliveries that this sender does not try wait for the next, before those it has tried."""
    mine = (_is_held(hold.token), Delivery.state == "claimed")
    _change(session, ids, *mine, state="planned", due_at=Delivery.planned_at, claim="")


def next_release(session: Session, queues: Sequence[str], hold: Hold) -> datetime | None:
    """When the first delivery comes free that another sender holds, or that waits for its domain."""
    waits = and_(Delivery.due_at.is_not(None), Delivery.claim != hold.token)
    rows = select(func.min(Delivery.due_at)).where(Delivery.queue.in_(queues), waits)
    return session.scalar(rows.where(Delivery.state.in_((*HELD, "planned"))))


# --- announce -----------------------------------------------------------------------


def announce(connection: Connection, claims: Sequence[Claim], hold: Hold, now: datetime) -> dict[int, str]:
    """Mark deliveries as sending: a crash from here on leaves them uncertain.

    Gives an empty reason by id for each that may go out now. Those whose reader has left, paused or been
    suppressed are skipped, with the reason; those that another sender has taken are not named.
    """
    digests = [claim for claim in claims if not claim.letter]
    if len(digests) == len(claims) and _announce_digests(connection, digests, hold) == len(digests):
        return {claim.id: "" for claim in digests}
    with Session(connection) as session:
        reasons = _announce_each(session, claims, hold, now)
        session.flush()
        return reasons


def _announce_digests(connection: Connection, digests: Sequence[Claim], hold: Hold) -> int:
    """Announce those with nothing against them; how many."""
    rows = [
        {
            "b_id": claim.id,
            "b_token": hold.token,
            "b_reader": claim.subscriber_id,
            "b_email": claim.reader.email,
            "attempts": claim.attempts + 1,
        }
        for claim in digests
    ]
    return _SEND_DIGESTS.run(connection, rows)


def _announce_each(session: Session, claims: Sequence[Claim], hold: Hold, now: datetime) -> dict[int, str]:
    """Look at each, and skip those with a reason."""
    held = {"ids": [claim.id for claim in claims], "b_token": hold.token}
    found = {row.id: row for row in session.connection().execute(_HELD_NOW, held)}
    mine = [claim for claim in claims if claim.id in found]
    reasons = {claim.id: _reason_to_skip(claim, found[claim.id]) for claim in mine}
    for claim in mine:
        if reasons[claim.id]:
            _skip(session, claim, reasons[claim.id], now)
        else:
            _change(session, [claim.id], state="sending", attempts=claim.attempts + 1)
    return reasons


def _reason_to_skip(claim: Claim, row: Row[Any]) -> str:
    moves = claim.letter == "move"
    if row.status == "forgotten":
        return "forgotten"
    if not claim.reader.email or claim.reader.email != (row.new_email if moves else row.email):
        return "the address was changed already"
    if row.is_new_suppressed if moves else row.is_suppressed:
        return "suppressed"
    needed = _STATUS_FOR_LETTER.get(claim.letter, row.status) if claim.letter else "active"
    return "" if row.status == needed else str(row.status)


def _skip(session: Session, claim: Claim, reason: str, now: datetime) -> None:
    _change(session, [claim.id], state="skipped", reply=reason, settled_at=now, due_at=None)
    if claim.kind == "digest":
        edition = session.get_one(EditionRow, claim.edition_id)
        back = update(Subscriber).where(
            Subscriber.id == claim.subscriber_id, Subscriber.cursor == edition.papers[-1]
        )
        session.execute(back.values(cursor=edition.after))  # unless a later mail has gone out since


# --- settle -------------------------------------------------------------------------


def sent(claim: Claim, reply: str, now: datetime) -> Outcome:
    """The server has taken the message."""
    return Outcome(claim.id, "sent", reply[:500], claim.attempts + 1, None, now)


def refused(claim: Claim, refusal: Refusal, verdict: Verdict, now: datetime) -> Outcome:
    """The server has not taken the message, or nobody knows; a deferred one fails in the end."""
    if refusal.phase in BEFORE_MESSAGE:  # nothing of this mail was tried
        return Outcome(claim.id, "planned", str(refusal), claim.attempts, claim.due_at, None)
    attempts, state = claim.attempts + 1, str(verdict.state)
    if state in {"planned", "deferred"} and attempts >= MOST_ATTEMPTS:
        state = "failed"
    due_at = {"planned": now, "uncertain": now, "deferred": now + _pause(attempts)}.get(state)
    return Outcome(
        claim.id,
        state,
        str(refusal),
        attempts,
        due_at,
        None if state == "planned" else now,
        claim.reader.email if verdict.suppress else "",
    )


def _pause(attempts: int) -> timedelta:
    """15 minutes growing to 8 hours, and a little more or less, so that not all come back at once."""
    return FIRST_PAUSE * (2.0 ** min(attempts - 1, 5) * uniform(0.95, 1.05))  # noqa: S311  no secret


def postponed(claim: Claim, due_at: datetime) -> Outcome:
    """Nothing was tried: the mail waits for its domain's turn, or for the next run."""
    return Outcome(claim.id, "planned", "", claim.attempts, due_at, None)


def unwritable(claim: Claim, reason: str, now: datetime) -> Outcome:
    """No mail can be made of the delivery."""
    return Outcome(claim.id, "failed", f"cannot be written: {reason}"[:500], claim.attempts, None, now)


def settle(connection: Connection, outcomes: Sequence[Outcome], hold: Hold, now: datetime) -> None:
    """Write down what has become of deliveries, of those that this sender still holds."""
    if dead := [outcome for outcome in outcomes if outcome.dead_address]:
        with Session(connection) as session:
            _suppress_dead(session, dead, now)
    _SETTLE.run(
        connection,
        [
            {
                "b_id": outcome.id,
                "b_token": hold.token,
                "state": outcome.state,
                "reply": outcome.reply,
                "attempts": outcome.attempts,
                "due_at": outcome.due_at,
                "settled_at": outcome.settled_at,
            }
            for outcome in outcomes
        ],
    )


def _suppress_dead(session: Session, outcomes: Sequence[Outcome], now: datetime) -> None:
    for outcome in outcomes:
        # Whoever was forgotten while their mail was on its way leaves no address behind.
        if find(session, outcome.dead_address):
            suppress(session, outcome.dead_address, f"returned: {outcome.reply}", now)
            session.flush()


def take_back_failed(session: Session, ids: Sequence[int], now: datetime) -> int:
    """Plan deliveries anew that failed for what turned out to be no fault of their readers; how many."""
    return _change(session, ids, Delivery.state == "failed", state="planned", due_at=now, settled_at=None)


def _is_held(token: str) -> ColumnElement[bool]:
    return Delivery.state.in_(HELD) & (Delivery.claim == token)


def _change(session: Session, ids: Sequence[int], *where: ColumnElement[bool], **values: object) -> int:
    changed = 0
    for start in range(0, len(ids), 500):
        change = update(Delivery).where(Delivery.id.in_(ids[start : start + 500]), *where)
        done = session.execute(change.values(**values).execution_options(synchronize_session=False))
        changed += done.rowcount  # type: ignore[attr-defined]  # an UPDATE counts its rows
    return changed
