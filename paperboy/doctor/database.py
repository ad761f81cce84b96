"""The database: there, writable, at the right version, with room; nothing late or left lying in it."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.database import DatabaseError, first_line, newest_version, open_engine, version_of
from core.run_log import last_finished
from delivery import queries
from issues.store import feed_read_at
from paperboy.doctor.findings import Finding, failed, ok, warning

NAME = "database"
GIGABYTE = 1024**3
LITTLE, TOO_LITTLE = 1.0, 0.1  # gigabytes left on the disk of an SQLite file
OVERDUE = timedelta(hours=1)  # upkeep looks four times as often
# How long ago the last of each may be: the schedules of prefect.yaml, and some more.
LONGEST_PAUSES = {
    "ingest": timedelta(hours=3),
    "digest": timedelta(hours=26),
    "upkeep": timedelta(hours=1),
}


def check(url: str, now: datetime) -> Iterator[Finding]:
    """All about the database at `url`; nothing is made or changed."""
    address = make_url(url)
    path = Path(str(address.database)) if address.get_backend_name() == "sqlite" else None
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
            yield _of_another_version(version or "", newest)
            return
        with Session(engine) as session:
            session.execute(text("UPDATE alembic_version SET version_num = version_num WHERE 1 = 0"))
            yield ok(NAME, f"{address.get_backend_name()}, at version {version}, can be written")
            yield _waiting(session, now)
            yield from _pauses(session, now)
    except SQLAlchemyError as error:
        yield failed(NAME, f"cannot be used: {first_line(error)}", _remedy(first_line(error), path))
    finally:
        engine.dispose()
    if path:
        yield _room(path)


def _of_another_version(version: str, newest: str) -> Finding:
    if version > newest:
        said = f"at version {version}, newer than this Paperboy, which knows {newest}"
        return failed(NAME, said, "update this installation")
    said = f"at version {version}, needs {newest}" if version else "has no tables yet"
    return failed(NAME, said, "run `paperboy migrate`")


def _remedy(reason: str, path: Path | None) -> str:
    if "readonly" in reason or "read-only" in reason:
        return f"let the user of Paperboy write {path} and its folder" if path else "use the primary server"
    return f"see that {path} is whole" if path else "see that the server runs, and PAPERBOY_DATABASE_URL"


def _waiting(session: Session, now: datetime) -> Finding:
    """Mails that are long due, and those that a sender holds which fell silent."""
    name = "outbox"
    overdue, held = queries.overdue(session, now - OVERDUE)
    remedy = "see that upkeep runs: it sends them"
    if held:
        return warning(name, f"{held} mails are held by a sender that fell silent over an hour ago", remedy)
    if overdue:
        return warning(name, f"{overdue} mails are overdue for more than an hour", remedy)
    return ok(name, "nothing is overdue")


def _pauses(session: Session, now: datetime) -> Iterator[Finding]:
    """How long ago the schedule did its work."""
    ended = last_finished(session)
    read_at = feed_read_at(session)  # a feed that has not changed leaves no record of a run
    if read_at:
        ended["ingest"] = max(read_at, ended.get("ingest", read_at))
    for kind, longest in LONGEST_PAUSES.items():
        name, last = f"last {kind}", ended.get(kind)
        remedy = "see that the Prefect server and a worker run"
        if last is None:
            yield warning(name, "none yet", remedy)
        elif now - last > longest:
            yield warning(name, f"ended {_spell(now - last)} ago, expected every {_spell(longest)}", remedy)
        else:
            yield ok(name, f"ended {_spell(now - last)} ago")


def _spell(pause: timedelta) -> str:
    minutes = int(pause.total_seconds() // 60)
    return f"{minutes // 60} h" if minutes >= 120 else f"{minutes} min"


def _room(path: Path) -> Finding:
    name = "disk"
    free = shutil.disk_usage(path.parent).free / GIGABYTE
    said = f"{free:.1f} GB are free for {path}"
    if free < TOO_LITTLE:
        return failed(name, said, "make room: without it no delivery can be written down")
    return warning(name, said, "make room") if free < LITTLE else ok(name, said)
