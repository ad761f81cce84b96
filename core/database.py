"""The database, SQLite or PostgreSQL: the base of all models, engines, sessions, and patience while it is away."""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy
from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Dialect,
    Engine,
    TypeDecorator,
    create_engine,
    event,
    func,
    literal,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from core.errors import PaperboyError

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

logger = logging.getLogger(__name__)

T = TypeVar("T")
Sessions = sessionmaker[Session]

MAX_DATABASE_OUTAGE = timedelta(minutes=10)  # after which a run ends
AUTO_VACUUM = "INCREMENTAL"  # how an SQLite file gives back the pages of deleted rows
INITIAL_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.5, 15.0

# A page answers within seconds that the database is away, and a run notices within a minute that the
# server has vanished from the network without closing the connection.
_POSTGRESQL_TIMEOUTS = {
    "connect_timeout": "10",  # seconds
    "tcp_user_timeout": "60000",  # milliseconds
    "keepalives_idle": "30",  # seconds
    "keepalives_interval": "10",  # seconds
}

# The SQLite errors that may pass: the file is locked, the disk is full or fails, the file cannot be opened.
_TEMPORARY_SQLITE_ERRORS = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}
_READ_ONLY_SQLSTATE = "25006"  # the PostgreSQL server is a standby, or has made itself read-only


class DatabaseError(PaperboyError):
    """The database cannot be used as it is. The message says what to do."""


# --- types and models ---------------------------------------------------------------


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time. It is stored in UTC, because SQLite does not keep time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _values(members: type[Enum]) -> list[str]:
    return [str(member.value) for member in members]


_AS_TEXT: dict[str, Any] = {"native_enum": False, "length": None, "values_callable": _values}


class Base(DeclarativeBase):
    """The base of all tables."""

    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads a plain dictionary here
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[Any]: JSON,
        StrEnum: sqlalchemy.Enum(StrEnum, **_AS_TEXT),
    }


def upsert(session: Session, table: type[Base]) -> "postgresql.Insert | sqlite.Insert":
    """An INSERT that can say what to do when the row already exists (ON CONFLICT)."""
    # Loading both dialects takes a fifth of a second, and commands that only read do not need them.
    from sqlalchemy.dialects import postgresql, sqlite  # noqa: PLC0415

    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    return insert(table)


# --- engines and sessions -----------------------------------------------------------


def open_engine(url: str) -> Engine:
    """An engine for `url`. For SQLite it makes the folder, and sets up WAL and writers that queue.

    Raises:
        DatabaseError: the URL cannot be read or the folder cannot be made.
    """
    try:
        address = make_url(url)
        if address.get_backend_name() == "sqlite" and address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        if address.get_backend_name() == "postgresql":
            address = address.update_query_dict({**_POSTGRESQL_TIMEOUTS, **address.query})
        engine = create_engine(
            address,
            pool_pre_ping=address.get_backend_name() != "sqlite",
            hide_parameters=True,  # parameters hold email addresses, and errors are logged
        )
    except OSError as error:
        raise DatabaseError(f"PAPERBOY_DATABASE_URL cannot be used: {error}") from None
    except (ArgumentError, ValueError):  # their messages can hold the password
        raise DatabaseError("PAPERBOY_DATABASE_URL is not the address of a database") from None
    if engine.dialect.name == "sqlite":
        file = engine.url.database
        if file and file != ":memory:":
            event.listen(engine, "do_connect", lambda *_: _create_privately(file))
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _create_privately(path: str) -> None:
    """Create a new database's file so that only its owner can read it. SQLite's further files get the same mode."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # `_begin_sqlite` begins transactions, not the driver
    connection.execute("PRAGMA busy_timeout = 30000")  # milliseconds
    # Only a new file or a VACUUM takes this up; see `core.disk_space`. It comes before WAL, which writes the file's header.
    connection.execute(f"PRAGMA auto_vacuum = {AUTO_VACUUM}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a settled delivery survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # SQLite overwrites what it deletes


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail with "database is locked".
    is_read_only = connection.get_execution_options().get("is_read_only")
    with raw_connection(connection) as raw:
        raw.execute("BEGIN" if is_read_only else "BEGIN IMMEDIATE")


@contextmanager
def raw_connection(connection: Connection) -> Iterator[Any]:
    """The driver's own connection.

    Raises:
        DBAPIError: the driver raised an error; it is wrapped as SQLAlchemy would wrap it.
    """
    dialect = connection.dialect
    raw = connection.connection.dbapi_connection
    try:
        yield raw
    except dialect.loaded_dbapi.Error as error:
        is_lost = dialect.is_disconnect(error, raw, None)
        if is_lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            None, None, error, dialect.loaded_dbapi.Error, connection_invalidated=is_lost, dialect=dialect
        ) from error


@dataclass(frozen=True)
class Database:
    """An engine and the factory of its sessions."""

    engine: Engine
    sessions: Sessions


def read_only(database: Database) -> Session:
    """A session that only reads. On SQLite it does not block writers, however long it lasts."""
    return database.sessions(bind=database.engine.execution_options(is_read_only=True))


# --- outages ------------------------------------------------------------------------


def is_away(error: DBAPIError) -> bool:
    """Whether the database may come back: it is starting, full, locked, or cannot be reached."""
    if isinstance(error.orig, sqlite3.Error):  # a missing table raises OperationalError as well
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _TEMPORARY_SQLITE_ERRORS
    is_unreachable = error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return is_unreachable or getattr(error.orig, "sqlstate", "") == _READ_ONLY_SQLSTATE


class Patience:
    """How long a run waits for a database that is away, counted from the first failure of one piece of work."""

    def __init__(self) -> None:
        self._failing_since: float | None = None
        self._next_wait = INITIAL_RETRY_SECONDS

    def seconds_to_wait(self, error: DBAPIError) -> float:
        """How long to wait before the next try. Each try that failed is one warning in the log.

        Raises:
            DBAPIError: the error itself, because the database is not away, or has been away for too long.
        """
        now = time.monotonic()
        self._failing_since = now if self._failing_since is None else self._failing_since
        if not is_away(error) or now - self._failing_since >= MAX_DATABASE_OUTAGE.total_seconds():
            raise error
        logger.warning("the run waits because the database is away: %s", first_line(error))
        wait, self._next_wait = self._next_wait, min(2 * self._next_wait, MAX_RETRY_SECONDS)
        return wait


def retry_while_away(work: Callable[[], T]) -> T:
    """Do some work that needs the database, again from its start while the database is away.

    The work must be one transaction, opened and ended in it, and must make the objects that it adds: those of a
    failed try keep their ids. A connection can also end between the COMMIT and its answer, so the work may be
    repeated though it was done. It must therefore find out what is there already, or do no harm by doing it twice.

    An exception of a signal handler, such as KeyboardInterrupt, ends the wait at once. Workers that share an event
    loop use `delivery.group_commit` instead, because this function blocks.

    Raises:
        DBAPIError: the database refused for another reason, or was away for longer than MAX_DATABASE_OUTAGE.
    """
    patience = Patience()
    while True:
        try:
            return work()
        except DBAPIError as error:
            wait = patience.seconds_to_wait(error)
        time.sleep(wait)


def transact(sessions: Sessions, work: Callable[[Session], T]) -> T:
    """Do some work in a transaction of its own, again while the database is away. See `retry_while_away`."""

    def once() -> T:
        with sessions.begin() as session:
            return work(session)

    return retry_while_away(once)


# --- statistics and errors -----------------------------------------------------------


def refresh_planner_statistics(session: Session, table: str) -> None:
    """Tell PostgreSQL's query planner that many rows were added to a table.

    PostgreSQL notices this only about a minute later, or when a tenth of the table is new. Planning and claiming
    do not depend on it, other questions about the rows do. SQLite does not use statistics here.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"ANALYZE (SKIP_LOCKED) {table}"))


def set_planner(session: Session, **settings: str) -> None:
    """Settings of PostgreSQL's query planner until the transaction ends.

    PostgreSQL chooses a plan by its statistics, and these may be wrong by orders of magnitude after many rows were added.
    A statement that must stay fast names what its plan may not use.
    """
    if session.get_bind().dialect.name == "postgresql":
        chosen = (func.set_config(name, value, literal(value=True)) for name, value in settings.items())
        session.execute(select(*chosen))


def first_line(error: Exception) -> str:
    """What the database says is wrong, without the statement and its parameters."""
    message = str(getattr(error, "orig", error)).strip() or type(error).__name__
    return message.splitlines()[0]
