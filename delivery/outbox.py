"""The outbox: deliveries are claimed by a sender for a while, renewed, and put back.

What it does with them is in `delivery.settlement`, what else becomes of a delivery in `delivery.events`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, select, update
from sqlalchemy.orm import Session

from delivery.models import HELD, Delivery, EditionRow
from delivery.planner import PROMPT
from delivery.retry import Claim
from emails.message import Reader
from subscribers.models import Subscriber

# Of tables and made once, as they run for every few mails: to build a statement takes longer than to run it.
_deliveries, _subscribers, _editions = Delivery.__table__, Subscriber.__table__, EditionRow.__table__
_DUE = (
    select(
        *_deliveries.c["id", "edition_id", "subscriber_id", "kind", "message_id", "in_reply_to"],
        *_deliveries.c["state", "attempts", "repeats", "due_at", "settled_at"],
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
_TRIED = ("deferred", "uncertain")  # what is settled, and due again


@dataclass(frozen=True)
class Hold:
    """Who claims deliveries, and until when nobody else takes them if the holder is silent."""

    token: str
    until: datetime


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
        anew = [row.id for row in taken if row.state in _TRIED]
        _change(session, anew, settled_at=None)
        _change(session, [row.id for row in taken], state="claimed", claim=hold.token, due_at=hold.until)
        if taken:
            return [_claim_of(row) for row in taken]
    return []


def _claim_of(row: Row[Any]) -> Claim:
    (
        id_, edition_id, subscriber_id, kind, message_id, in_reply_to,
        state, attempts, _, due_at, settled_at,
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
        None if state in _TRIED else settled_at,
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
