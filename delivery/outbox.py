"""The outbox: senders claim deliveries on a lease, renew the lease, and put back what they do not send.

Settling is in `delivery.settlement`; what else can happen to a delivery is in `delivery.events`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, select, update
from sqlalchemy.orm import Session

from core.database import set_planner
from delivery.events import MAX_IDS_PER_STATEMENT
from delivery.models import Delivery, EditionRow
from delivery.planner import PRIORITY_QUEUE
from delivery.retry import MAX_WAIT_FOR_OUR_FAULT, Claim
from delivery.states import IN_PROGRESS, DeliveryState
from emails.kinds import RULES
from emails.message import Recipient
from subscribers.models import Subscriber

# The statement works on tables and is made only once, because building it takes longer than running it.
_deliveries, _subscribers, _editions = Delivery.__table__, Subscriber.__table__, EditionRow.__table__
_DUE = (
    select(
        *_deliveries.c["id", "edition_id", "subscriber_id", "kind", "message_id", "in_reply_to"],
        *_deliveries.c["state", "attempts", "repeats", "due_at", "settled_at"],
        _editions.c.kind.label("mail_kind"),
        *_subscribers.c["email", "new_email", "name", "handle"],
    )
    .join_from(_deliveries, _subscribers)
    .join(_editions)
    .where(
        _deliveries.c.queue == bindparam("queue"),
        _deliveries.c.due_at <= bindparam("now"),
        _deliveries.c.claimed_by != bindparam("token"),
    )
    .order_by(_deliveries.c.due_at, _deliveries.c.id)
    .limit(bindparam("limit"))
    .with_for_update(of=_deliveries, skip_locked=True)
)
_NOT_FOR_CLAIMS = (
    "enable_sort",
    "enable_seqscan",
    "enable_bitmapscan",
    "enable_hashjoin",
    "enable_mergejoin",
)
_ATTEMPTED = (DeliveryState.DEFERRED, DeliveryState.UNCERTAIN)  # settled once, and due again


@dataclass(frozen=True)
class Lease:
    """Which sender claims deliveries, and until when no other sender takes them."""

    token: str
    until: datetime


def queues_with_work(session: Session) -> list[str]:
    """The queues that have deliveries under way. The priority queue comes first."""
    found: list[str] = []
    under_way = select(func.min(Delivery.queue)).where(Delivery.due_at.is_not(None))
    # One index lookup for each queue: DISTINCT would read all deliveries that are under way.
    while (
        queue := session.scalar(under_way.where(Delivery.queue > (found[-1] if found else "")))
    ) is not None:
        found.append(queue)
    return sorted(found, key=lambda queue: queue != PRIORITY_QUEUE)


def claim(
    session: Session, queue: str, lease: Lease, *, now: datetime, repeat_uncertain: bool, limit: int
) -> list[Claim]:
    """Claim up to `limit` deliveries of a queue that are due, the longest due first.

    A delivery that another sender was sending when its lease ended becomes uncertain.
    """
    # The index has the deliveries in their order. By old statistics, PostgreSQL would read and sort all that are due.
    set_planner(session, **dict.fromkeys(_NOT_FOR_CLAIMS, "off"))
    connection = session.connection()
    due = {"queue": queue, "now": now, "token": lease.token, "limit": limit}
    while rows := connection.execute(_DUE, due).all():
        lost = [row.id for row in rows if row.state == DeliveryState.SENDING]
        mark_uncertain(session, lost, now)
        uncertain = [row for row in rows if row.state == DeliveryState.UNCERTAIN]
        given_up = [row.id for row in uncertain if row.repeats or not repeat_uncertain]
        _update(session, given_up, due_at=None)
        left_out = {*lost, *given_up}
        claimed = [row for row in rows if row.id not in left_out]
        repeated = [row.id for row in uncertain if row.id not in left_out]
        _update(session, repeated, repeats=Delivery.repeats + 1)
        attempted = [row.id for row in claimed if row.state in _ATTEMPTED]
        _update(session, attempted, settled_at=None)
        _update(
            session,
            [row.id for row in claimed],
            state=DeliveryState.CLAIMED,
            claimed_by=lease.token,
            due_at=lease.until,
        )
        if claimed:
            return [_claim_of(row) for row in claimed]
    return []


def _claim_of(row: Row[*tuple[Any, ...]]) -> Claim:
    (
        id_, edition_id, subscriber_id, kind, message_id, in_reply_to,
        state, attempts, repeats, due_at, settled_at,
        mail_kind,
        email, new_email, name, handle,
    ) = row  # fmt: skip
    return Claim(
        id_,
        edition_id,
        subscriber_id,
        kind,
        mail_kind,
        message_id,
        in_reply_to,
        attempts,
        bool(repeats) or state == DeliveryState.UNCERTAIN,
        due_at,
        None if state in _ATTEMPTED else settled_at,
        Recipient(new_email if RULES[mail_kind].to_new_address else email, name, handle),
    )


def mark_uncertain(session: Session, ids: Sequence[int], now: datetime) -> None:
    """Mark deliveries whose sender stopped while the server had the message."""
    reply = "the sender stopped while the server had the message"
    _update(session, ids, state=DeliveryState.UNCERTAIN, reply=reply, settled_at=now, due_at=now)


def recover(session: Session, now: datetime) -> None:
    """Take back everything that dead senders have claimed. Call it only where no other sender can be running."""
    under_way = select(Delivery.id).where(Delivery.due_at.is_not(None))
    sending = session.scalars(under_way.where(Delivery.state == DeliveryState.SENDING)).all()
    mark_uncertain(session, sending, now)
    claimed = update(Delivery).where(Delivery.due_at.is_not(None), Delivery.state == DeliveryState.CLAIMED)
    session.execute(claimed.values(state=DeliveryState.PLANNED, due_at=now, claimed_by=""))


def renew(session: Session, ids: Sequence[int], lease: Lease) -> None:
    """Extend the lease of claimed deliveries."""
    _update(session, ids, _is_leased_by(lease.token), due_at=lease.until)


def claimed_ids(session: Session, lease: Lease) -> Sequence[int]:
    """What the sender has claimed, and has not marked as sending yet."""
    is_claimed = (Delivery.claimed_by == lease.token, Delivery.state == DeliveryState.CLAIMED)
    return session.scalars(select(Delivery.id).where(Delivery.due_at.is_not(None), *is_claimed)).all()


def put_back(session: Session, ids: Sequence[int], lease: Lease) -> None:
    """Return claimed deliveries to the queue, before those that have been attempted."""
    is_unsent = (_is_leased_by(lease.token), Delivery.state == DeliveryState.CLAIMED)
    _update(session, ids, *is_unsent, state=DeliveryState.PLANNED, due_at=Delivery.planned_at, claimed_by="")


def next_due_elsewhere(session: Session, queues: Sequence[str], lease: Lease) -> datetime | None:
    """When the first delivery becomes due that another sender has claimed, or that waits for its domain."""
    waits = and_(Delivery.due_at.is_not(None), Delivery.claimed_by != lease.token)
    rows = select(func.min(Delivery.due_at)).where(Delivery.queue.in_(queues), waits)
    return session.scalar(rows.where(Delivery.state.in_((*IN_PROGRESS, DeliveryState.PLANNED))))


def replan_failed(session: Session, ids: Sequence[int], now: datetime) -> int:
    """Plan deliveries again that failed for something that was not the recipients' fault. Returns how many.

    A delivery that has been refused for two days stays failed, as nobody corrects what is wrong.
    """
    return _update(
        session,
        ids,
        Delivery.state == DeliveryState.FAILED,
        Delivery.planned_at > now - MAX_WAIT_FOR_OUR_FAULT,
        state=DeliveryState.PLANNED,
        due_at=now,
        settled_at=None,
    )


def _is_leased_by(token: str) -> ColumnElement[bool]:
    return Delivery.state.in_(IN_PROGRESS) & (Delivery.claimed_by == token)


def _update(session: Session, ids: Sequence[int], *where: ColumnElement[bool], **values: object) -> int:
    changed = 0
    for start in range(0, len(ids), MAX_IDS_PER_STATEMENT):
        rows = update(Delivery).where(Delivery.id.in_(ids[start : start + MAX_IDS_PER_STATEMENT]), *where)
        done = session.execute(rows.values(**values).execution_options(synchronize_session=False))
        changed += done.rowcount  # type: ignore[attr-defined]  # an UPDATE counts its rows
    return changed
