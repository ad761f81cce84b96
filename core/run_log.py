"""The record of runs: what was done when, with its result, for operators and for late digests."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.database import Base

logger = logging.getLogger(__name__)


class Run(Base):
    """One finished ingest, digest, resend, upkeep or reading of returned mail; `waiting` says that papers had
    to settle."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    slot: Mapped[str | None]
    finished_at: Mapped[datetime]
    waiting: Mapped[bool] = mapped_column(default=False)
    result: Mapped[dict[str, Any]]


def record(
    session: Session,
    kind: str,
    result: dict[str, Any],
    now: datetime,
    *,
    slot: str | None = None,
    waiting: bool = False,
) -> None:
    """Note a finished run. Does not commit."""
    run = Run(kind=kind, slot=slot, finished_at=now, waiting=waiting, result=result)
    session.add(run)
    session.flush()
    logger.info("a run of %s has ended", kind, extra={"run": run.id, "slot": slot})


def latest(session: Session, count: int) -> Sequence[Run]:
    """The last `count` runs of each kind, newest first."""
    place = func.row_number().over(partition_by=Run.kind, order_by=Run.id.desc()).label("place")
    ranked = select(Run.id, place).subquery()
    rows = select(Run).join(ranked, ranked.c.id == Run.id).where(ranked.c.place <= count)
    return session.scalars(rows.order_by(Run.id.desc())).all()


def last_of(session: Session, kind: str, slot: str) -> Run | None:
    """The last run of a slot."""
    return session.scalar(
        select(Run).where(Run.kind == kind, Run.slot == slot).order_by(Run.id.desc()).limit(1)
    )


def newest_run(session: Session, kind: str, frequency: str = "") -> Run | None:
    """The last run of a kind, and of a digest's frequency if that is given."""
    runs = select(Run).where(Run.kind == kind)
    if frequency:
        runs = runs.where(Run.slot.startswith(f"{frequency}:"))
    return session.scalar(runs.order_by(Run.id.desc()).limit(1))


def last_finished(session: Session) -> dict[str, datetime]:
    """When the last run of each kind ended."""
    rows = select(Run.kind, func.max(Run.finished_at)).group_by(Run.kind)
    return dict(session.execute(rows).tuples().all())
