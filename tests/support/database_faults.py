"""Faults of databases: a full disk, a lock of another program and an outage; and the log lines of a run."""

import logging
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import psycopg
from sqlalchemy import create_engine, event, make_url, text

from core.database import Database


class RecordingHandler(logging.Handler):
    """Records the lines of the log, and calls `on_line` at each, when a person would act."""

    def __init__(self, on_line: Callable[[], None]) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._on_line = on_line

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self._on_line()


@contextmanager
def log_lines(on_line: Callable[[], None] = lambda: None) -> Iterator[list[str]]:
    handler = RecordingHandler(on_line)
    for name in ("delivery", "core"):
        logging.getLogger(name).addHandler(handler)
    yield handler.lines
    for name in ("delivery", "core"):
        logging.getLogger(name).removeHandler(handler)


class Disk:
    """A disk that has room for only three more pages of an SQLite file."""

    def __init__(self, database: Database) -> None:
        with database.engine.connect() as connection:
            self.pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one() + 3
        event.listen(database.engine, "checkout", self._limit)

    def _limit(self, connection: object, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {self.pages}")  # type: ignore[attr-defined]

    def grow(self) -> None:
        self.pages += 10_000


class FailingDisk:
    """A disk that fails to write more into the log of an SQLite file, until it is repaired.

    A limit on the size of files makes the system call fail. The limit holds for all files that this process writes.
    """

    def __init__(self, database: Database) -> None:
        log = Path(f"{database.engine.url.database}-wal")
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        size = log.stat().st_size if log.exists() else 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, self._limits[1]))

    def repair(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)


LOCKING_PROGRAM = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("COMMIT")
"""


class Locker:
    """Another process that locks the database for a while."""

    def __init__(self, database: Database) -> None:
        self._command = [sys.executable, "-c", LOCKING_PROGRAM, str(database.engine.url.database)]
        self._process: subprocess.Popen[bytes] | None = None

    def lock(self) -> None:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        assert self._process.stdout
        assert self._process.stdout.readline() == b"locked\n"

    def unlock(self) -> None:
        assert self._process
        self._process.communicate(timeout=30)


class Outage:
    """An outage of a PostgreSQL database: it ends all connections and accepts no new ones until it is over."""

    def __init__(self, database: Database) -> None:
        self._name = database.engine.url.database
        url = make_url(database.engine.url).set(database="postgres")
        self._outside = create_engine(url, isolation_level="AUTOCOMMIT")
        self._attempts = 0

    def begin(self) -> None:
        self._execute(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS false')
        self._execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")

    def end_at_second_attempt(self) -> None:
        self._attempts += 1
        if self._attempts == 2:
            self._execute(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS true')
            self._outside.dispose()

    def _execute(self, statement: str) -> None:
        with self._outside.connect() as connection:
            connection.execute(text(statement), {"name": self._name} if ":name" in statement else {})


def lose_answer(connection: Any) -> NoReturn:
    """End the connection as a server does that goes away; the driver raises what it raises then."""
    driver = connection.dbapi_connection
    if isinstance(driver, sqlite3.Connection):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error
    driver.close()
    raise psycopg.OperationalError("server closed the connection unexpectedly")
