"""The run log: what each run did and when, for operators and for digests that had to wait."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, assert_never

from sqlalchemy import Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.database import Base
from core.frequencies import Frequency
from core.slots import digest_slot_prefix
from core.version import installed_version

logger = logging.getLogger(__name__)

_NO_COUNTS = {"ready_until"}  # numbers of a result that count nothing


class RunKind(StrEnum):
    """What a run did."""

    INGEST = "ingest"
    DIGEST = "digest"
    RESEND = "resend"
    UPKEEP = "upkeep"
    BOUNCES = "bounces"

    @property
    def max_time_between_runs(self) -> timedelta | None:
        """The schedule in prefect.yaml with some time to spare, or None if nobody has to be told of a missing run."""
        match self:
            case RunKind.INGEST:
                return timedelta(hours=3)
            case RunKind.DIGEST:
                return timedelta(hours=26)
            case RunKind.UPKEEP:
                return timedelta(hours=1)
            case RunKind.RESEND | RunKind.BOUNCES:  # by hand, and only if there is an inbox
                return None
            case _:
                assert_never(self)


class RunRecord(Base):
    """One finished run.

    `waiting` says that some papers had not been quiet for long enough to go out. `version` is that of Paperboy, or empty
    for runs of versions that did not tell.
    """

    __tablename__ = "runs"
    __table_args__ = (Index("runs_by_kind", "kind", "id"), Index("runs_by_slot", "slot"))

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[RunKind]
    slot: Mapped[str | None]
    finished_at: Mapped[datetime]
    waiting: Mapped[bool] = mapped_column(default=False)
    result: Mapped[dict[str, Any]]
    version: Mapped[str] = mapped_column(default=installed_version)


def record_run(
    session: Session,
    kind: RunKind,
    result: dict[str, Any],
    now: datetime,
    *,
    slot: str | None = None,
    waiting: bool = False,
) -> None:
    """Record a finished run. Does not commit."""
    run = RunRecord(kind=kind, slot=slot, finished_at=now, waiting=waiting, result=result)
    session.add(run)
    session.flush()
    logger.info("run finished: %s", kind, extra={"run": run.id, "slot": slot})


def counts_of(result: Mapping[str, Any]) -> dict[str, int]:
    """The counts in a run's result that are not zero. The entries of a list are counted."""
    counts = {name: len(value) if isinstance(value, list) else value for name, value in result.items()}
    return {
        name: count
        for name, count in counts.items()
        if type(count) is int and count and name not in _NO_COUNTS
    }


def latest_runs(session: Session, count: int) -> Sequence[RunRecord]:
    """The last `count` runs of each kind, newest first."""
    runs = [
        run
        for kind in RunKind
        for run in session.scalars(
            select(RunRecord).where(RunRecord.kind == kind).order_by(RunRecord.id.desc()).limit(count)
        )
    ]
    return sorted(runs, key=lambda run: run.id, reverse=True)


def last_run_of_slot(session: Session, kind: RunKind, slot: str) -> RunRecord | None:
    """The last run of a slot."""
    return session.scalar(
        select(RunRecord)
        .where(RunRecord.kind == kind, RunRecord.slot == slot)
        .order_by(RunRecord.id.desc())
        .limit(1)
    )


def first_run_of_slot(session: Session, kind: RunKind, slot: str) -> RunRecord | None:
    """The first run of a slot."""
    runs = select(RunRecord).where(RunRecord.kind == kind, RunRecord.slot == slot)
    return session.scalar(runs.order_by(RunRecord.id).limit(1))


def last_run(session: Session, kind: RunKind, frequency: Frequency | None = None) -> RunRecord | None:
    """The last run of a kind; for digests, of a frequency if one is given."""
    runs = select(RunRecord).where(RunRecord.kind == kind)
    if frequency:
        runs = runs.where(RunRecord.slot.startswith(digest_slot_prefix(frequency)))
    return session.scalar(runs.order_by(RunRecord.id.desc()).limit(1))


def version_of_last_run(session: Session) -> str:
    """The version of Paperboy that the last run was of, or nothing if there was no run or it does not tell."""
    return session.scalar(select(RunRecord.version).order_by(RunRecord.id.desc()).limit(1)) or ""


def last_finished(session: Session) -> dict[RunKind, datetime]:
    """When the last run of each kind finished."""
    return {run.kind: run.finished_at for run in latest_runs(session, 1)}
