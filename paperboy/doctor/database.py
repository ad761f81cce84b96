"""Checks the database (reachable, writable, its version, its size, free disk) and that runs and mails are not overdue."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.database import DatabaseError, first_line, open_engine
from core.run_log import RunKind, last_finished, version_of_last_run
from core.schema import newest_version, version_of
from core.version import installed_version
from delivery import queries
from issues.queries import feed_read_at
from monitoring.findings import Finding, failed, ok, warning
from paperboy.doctor import database_size

NAME = "database"
GIGABYTE = 1024**3
WARNING_FREE_GIGABYTES = 1.0  # on the disk of an SQLite file
MIN_FREE_GIGABYTES = 0.1
OVERDUE_AFTER = timedelta(hours=1)  # upkeep sends overdue mails four times as often


def check(url: str, now: datetime) -> Iterator[Finding]:
    """Check the database at `url` without creating or changing anything."""
    address = make_url(url)
    path = Path(str(address.database)) if address.get_backend_name() == "sqlite" else None
    # SQLite would create a missing file when it is opened.
    if path and not path.exists():
        yield failed(NAME, f"there is no file {path}", "run `paperboy migrate`")
        return
    try:
        engine = open_engine(url)
    except DatabaseError as error:
        yield failed(NAME, str(error), "correct PAPERBOY_DATABASE_URL")
        return
    try:
        version, newest = version_of(engine), newest_version()
        if version != newest:
            yield _wrong_version(version or "", newest)
            return
        with Session(engine) as session:
            # An UPDATE without rows changes nothing, but fails where the database is read-only.
            session.execute(text("UPDATE alembic_version SET version_num = version_num WHERE 1 = 0"))
            yield ok(NAME, f"{address.get_backend_name()} at version {version}, writable")
            yield _check_outbox(session, now)
            yield from _check_last_runs(session, now)
            yield from _check_version(session)
            yield from database_size.check(session, path, now)
    except SQLAlchemyError as error:
        yield failed(NAME, f"cannot be used: {first_line(error)}", _remedy(first_line(error), path))
    finally:
        engine.dispose()
    if path:
        yield _check_disk(path)


def _wrong_version(version: str, newest: str) -> Finding:
    # Versions are numbers of four digits, so they can be compared as text.
    if version > newest:
        problem = f"is at version {version}, which is newer than the version {newest} of this Paperboy"
        return failed(NAME, problem, "update this installation")
    problem = f"is at version {version}, but this Paperboy needs {newest}" if version else "has no tables yet"
    return failed(NAME, problem, "run `paperboy migrate`")


def _remedy(reason: str, path: Path | None) -> str:
    if "readonly" in reason or "read-only" in reason:
        if path is None:
            return "use the primary server"
        return f"give the user of Paperboy permission to write {path} and its folder"
    if path is None:
        return "check that the server runs and that PAPERBOY_DATABASE_URL is right"
    return f"check that {path} is an intact SQLite database"


def _check_outbox(session: Session, now: datetime) -> Finding:
    """Check for mails that should have gone out long ago, and for mails of a sender that has died."""
    name = "outbox"
    overdue, claimed = queries.count_overdue(session, now - OVERDUE_AFTER)
    remedy = "check that upkeep runs, which sends them"
    # The overdue mails include the claimed ones, which say more about the cause.
    if claimed:
        problem = f"mails claimed by a sender that stopped responding over an hour ago: {claimed}"
        return warning(name, problem, remedy)
    if overdue:
        return warning(name, f"mails overdue for more than an hour: {overdue}", remedy)
    return ok(name, "nothing is overdue")


def _check_last_runs(session: Session, now: datetime) -> Iterator[Finding]:
    """Check that each schedule had a run recently."""
    finished = last_finished(session)
    read_at = feed_read_at(session)
    if read_at:  # an ingest of an unchanged feed leaves no record of a run
        finished[RunKind.INGEST] = max(read_at, finished.get(RunKind.INGEST, read_at))
    for kind in RunKind:
        max_time = kind.max_time_between_runs
        if max_time is None:
            continue
        name, last = f"last {kind}", finished.get(kind)
        remedy = "check that the Prefect server and a worker are running"
        if last is None:
            yield warning(name, "there was none yet", remedy)
        elif now - last > max_time:
            problem = f"finished {_format(now - last)} ago, but one is expected every {_format(max_time)}"
            yield warning(name, problem, remedy)
        else:
            yield ok(name, f"finished {_format(now - last)} ago")


def _check_version(session: Session) -> Iterator[Finding]:
    """Check that the last run was of this version, because a worker keeps its own until it is started anew."""
    found, installed = version_of_last_run(session), installed_version()
    if found and found != installed:
        problem = f"{found} at the last run, and here it is {installed}"
        yield warning("worker version", problem, "install the same version everywhere and restart the worker")


def _format(duration: timedelta) -> str:
    minutes = int(duration.total_seconds() // 60)
    return f"{minutes // 60} h" if minutes >= 120 else f"{minutes} min"


def _check_disk(path: Path) -> Finding:
    name = "disk"
    free = shutil.disk_usage(path.parent).free / GIGABYTE
    problem = f"{free:.1f} GB are free for {path}"
    if free < MIN_FREE_GIGABYTES:
        return failed(name, problem, "free some space: without it no delivery can be recorded")
    return warning(name, problem, "free some space") if free < WARNING_FREE_GIGABYTES else ok(name, problem)
