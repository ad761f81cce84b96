"""Deletes rows that are older than the retention period, a bounded number in each transaction. The monthly counts stay.

Only counted deliveries are pruned, so none that is under way, and none that came after one that is under way. The newest
row of each table stays, because SQLite would give its number to another row.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.run_log import RunRecord
from core.slots import resend_slot
from delivery.counts import MonthlyKey, add_to_months, counted_until, month_of
from delivery.editions import editions_with
from delivery.models import BounceMail, Delivery, EditionCount, EditionRow, Resend
from delivery.states import CountedSubject

ROWS_PER_TRANSACTION = 1_000
EDITIONS_PER_TRANSACTION = 100  # each is as long as a mail


@dataclass(frozen=True)
class PrunedDeliveries:
    """How many deliveries were pruned, the papers that they brought, and the last id looked at, or None at the end."""

    count: int
    papers: frozenset[int]
    last_id: int | None


def prune_deliveries(
    session: Session, before: datetime, kept_papers: Collection[int], after_id: int = 0
) -> PrunedDeliveries:
    """Prune the next deliveries planned `before` a time, but for those that bring one of the `kept_papers`."""
    kept = sorted(set().union(*editions_with(session, kept_papers).values())) if kept_papers else []
    newest = session.scalar(select(func.max(Delivery.id))) or 0
    in_reach = Delivery.id.between(after_id + 1, min(counted_until(session), newest - 1))
    next_ids = select(Delivery.id).where(in_reach).order_by(Delivery.id).limit(ROWS_PER_TRANSACTION)
    last_id = session.scalar(select(func.max(next_ids.subquery().c.id)))
    if last_id is None:
        return PrunedDeliveries(0, frozenset(), None)
    in_turn = and_(Delivery.id.between(after_id + 1, last_id), Delivery.planned_at < before)
    # Deliveries are in the order of their times. If none of these is old, no later one is.
    if session.scalar(select(Delivery.id).where(in_turn).limit(1)) is None:
        return PrunedDeliveries(0, frozenset(), None)
    is_old = and_(in_turn, Delivery.edition_id.not_in(kept))
    editions = select(Delivery.edition_id).where(is_old).distinct()
    texts = session.scalars(select(EditionRow.papers).where(EditionRow.id.in_(editions)))
    papers = frozenset(number for numbers in texts for number in numbers)
    returned = BounceMail.delivery_id.in_(select(Delivery.id).where(is_old))
    session.execute(_quietly(update(BounceMail).where(returned).values(delivery_id=None)))
    return PrunedDeliveries(_delete(session, Delivery, is_old), papers, last_id)


def prune_editions(session: Session, *, before: datetime) -> int:
    """Prune editions that no delivery refers to any more, with their counts by slot."""

    def is_unused(id_: int) -> bool:
        return session.scalar(select(Delivery.id).where(Delivery.edition_id == id_).limit(1)) is None

    old = _oldest(session, EditionRow.id, EditionRow.created_at < before, limit=None)
    # One look at an index for each: PostgreSQL might join all deliveries to find out at once.
    ids = list(islice(filter(is_unused, old), EDITIONS_PER_TRANSACTION))
    _delete(session, EditionCount, EditionCount.edition_id.in_(ids))
    return _delete(session, EditionRow, EditionRow.id.in_(ids))


def prune_resends(session: Session, *, before: datetime) -> int:
    """Prune the requests of which every copy is old: the same request is a new one then. Their copies go afterwards."""

    def has_only_old(id_: int) -> bool:
        newer = select(Delivery.id).where(Delivery.slot == resend_slot(id_), Delivery.planned_at >= before)
        return session.scalar(newer.limit(1)) is None

    old = _oldest(session, Resend.id, Resend.asked_at < before)
    return _delete(session, Resend, Resend.id.in_(list(filter(has_only_old, old))))


def prune_bounces(session: Session, *, before: datetime) -> int:
    """Prune bounce mails. By month stays how many of each kind there were, and what was done about them."""
    ids = _oldest(session, BounceMail.id, BounceMail.received_at < before)
    rows = select(BounceMail.received_at, BounceMail.kind, BounceMail.action).where(BounceMail.id.in_(ids))
    counts: Counter[MonthlyKey] = Counter(
        (month_of(at.date()), kind, "", "", action) for at, kind, action in session.execute(rows)
    )
    add_to_months(session, CountedSubject.BOUNCE, counts)
    return _delete(session, BounceMail, BounceMail.id.in_(ids))


def prune_runs(session: Session, *, before: datetime) -> int:
    """Prune runs but for the last of each kind. By month stays how many of each kind there were."""
    last_runs = select(func.max(RunRecord.id)).group_by(RunRecord.kind)
    ids = _oldest(session, RunRecord.id, RunRecord.finished_at < before, RunRecord.id.not_in(last_runs))
    rows = select(RunRecord.finished_at, RunRecord.kind).where(RunRecord.id.in_(ids))
    counts: Counter[MonthlyKey] = Counter(
        (month_of(at.date()), kind, "", "", "") for at, kind in session.execute(rows)
    )
    add_to_months(session, CountedSubject.RUN, counts)
    return _delete(session, RunRecord, RunRecord.id.in_(ids))


def _oldest(
    session: Session,
    id_: InstrumentedAttribute[int],
    *conditions: ColumnElement[bool],
    limit: int | None = ROWS_PER_TRANSACTION,
) -> list[int]:
    """The lowest ids for which the conditions hold, but for the highest of the table."""
    newest = session.scalar(select(func.max(id_))) or 0
    return list(session.scalars(select(id_).where(id_ < newest, *conditions).order_by(id_).limit(limit)))


def _delete(session: Session, table: type[Any], condition: ColumnElement[bool]) -> int:
    deleted = session.execute(_quietly(delete(table).where(condition)))
    return int(deleted.rowcount)  # type: ignore[attr-defined]  # a DELETE counts its rows


def _quietly(statement: Any) -> Any:
    """The statement, without a search for its rows among the objects of the session."""
    return statement.execution_options(synchronize_session=False)
