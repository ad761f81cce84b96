"""Checks how much space the database takes and how fast it grows, by what upkeep has noted."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.disk_space import DatabaseSize, database_size
from core.run_log import RunKind, RunRecord
from monitoring.findings import Finding, ok, warning

GIGABYTE = 1_000_000_000
MEGABYTES_PER_GIGABYTE = 1_000
MONTH = timedelta(days=30)
MIN_SPAN = timedelta(days=2)  # of upkeeps, in a shorter time a growth says nothing
WARNING_MONTHS = 6  # for which the disk must have room
MAX_FREE_SHARE = 0.25  # of an SQLite file that cannot give space back
NAME = "size"


def check(session: Session, path: Path | None, now: datetime) -> Iterator[Finding]:
    """Check the size of the database. `path` is its file if it is SQLite."""
    size = database_size(session)
    total = size.total / GIGABYTE
    if not size.is_shrinkable and size.free_share > MAX_FREE_SHARE:
        yield _not_shrinkable(size)
        return
    growth = _monthly_growth(session, size, now)
    if growth is None:
        yield ok(NAME, f"the database takes {total:.2f} GB; its growth is known after two days of upkeep")
        return
    problem = f"the database takes {total:.2f} GB and grew by {growth:.2f} GB in a month"
    free = shutil.disk_usage(path.parent).free / GIGABYTE if path else None
    if free is not None and growth * WARNING_MONTHS > free:
        remedy = "give it a larger disk, or keep mails for less time: PAPERBOY_RETENTION_MONTHS"
        yield warning(NAME, f"{problem}, which leaves room for {free / growth:.1f} months", remedy)
        return
    yield ok(NAME, problem)


def _not_shrinkable(size: DatabaseSize) -> Finding:
    problem = f"{size.free / GIGABYTE:.2f} of {size.total / GIGABYTE:.2f} GB are free, but the file cannot shrink yet"
    return warning(NAME, problem, "stop the worker and the pages, and run `paperboy vacuum` once")


def _monthly_growth(session: Session, size: DatabaseSize, now: datetime) -> float | None:
    """By how many gigabytes the database has grown in a month, or None if upkeep has not noted sizes for long enough."""
    upkeeps = select(RunRecord).where(RunRecord.kind == RunKind.UPKEEP, RunRecord.finished_at >= now - MONTH)
    first = session.scalar(upkeeps.order_by(RunRecord.id).limit(1))
    noted = first.result.get("retention", {}).get("megabytes") if first else None
    if first is None or noted is None or now - first.finished_at < MIN_SPAN:
        return None
    grown = size.total / GIGABYTE - noted / MEGABYTES_PER_GIGABYTE
    return float(grown * (MONTH / (now - first.finished_at)))
