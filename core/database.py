"""The database: the base of all models, engines, sessions and locks, for SQLite and PostgreSQL."""

import fcntl
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from core.errors import PaperboyError

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

Sessions = sessionmaker[Session]

# A page answers within seconds that the database is away, and a run notices within a minute that the
# server has vanished from the network without closing the connection.
_POSTGRESQL_TIMEOUTS = {
    "connect_timeout": "10",  # seconds
    "tcp_user_timeout": "60000",  # milliseconds
    "keepalives_idle": "30",  # seconds
    "keepalives_interval": "10",  # seconds
}


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
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # `_begin_sqlite` begins transactions, not the driver
    connection.execute("PRAGMA busy_timeout = 30000")  # milliseconds
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a settled delivery survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")


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


# --- locks and statistics -----------------------------------------------------------


def advisory_lock(session: Session, name: str) -> None:
    """Let one transaction at a time pass, until it ends. SQLite allows only one writer at a time anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": zlib.crc32(name.encode())})


@contextmanager
def file_lock(engine: Engine, name: str, on_wait: Callable[[], None]) -> Iterator[None]:
    """Lock `name` across all processes that use the same SQLite file. The lock of a dead process is free.

    `on_wait` is called once, before waiting, when another process holds the lock.
    """
    path = Path(f"{engine.url.database}.{name}.lock")
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def refresh_planner_statistics(session: Session, table: str) -> None:
    """Tell PostgreSQL's query planner that many rows were added to a table.

    PostgreSQL notices this only about a minute later, or when a tenth of the table is new. Until then it
    would read and sort everything that is due to find the first few rows. SQLite does not use statistics here.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"ANALYZE (SKIP_LOCKED) {table}"))


def first_line(error: Exception) -> str:
    """What the database says is wrong, without the statement and its parameters."""
    message = str(getattr(error, "orig", error)).strip() or type(error).__name__
    return message.splitlines()[0]
