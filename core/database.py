"""The database: base of all models, engine, sessions, locks; SQLite and PostgreSQL."""

import fcntl
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
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
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

Sessions = sessionmaker[Session]


class DatabaseError(Exception):
    """The database cannot be used as it is; the message says what to do."""


class Moment(TypeDecorator[datetime]):
    """An aware time, kept in UTC (SQLite forgets zones)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map = {datetime: Moment, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012  SQLAlchemy's form


def upsert(session: Session, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can say what is to be done where the row is there already."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    return insert(table)


def open_engine(url: str) -> Engine:
    """An engine for `url`; SQLite gets its folder, WAL and writers that queue.

    Raises:
        DatabaseError: the address cannot be read or the folder not made.
    """
    try:
        address = make_url(url)
        if address.get_backend_name() == "sqlite" and address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        if address.get_backend_name() == "postgresql":  # a reader does not wait for minutes to be told
            # Nor does a run wait for a server that has vanished without a word: a minute, and then anew.
            patience = {
                "connect_timeout": "10",
                "tcp_user_timeout": "60000",
                "keepalives_idle": "30",
                "keepalives_interval": "10",
            }
            address = address.update_query_dict({**patience, **address.query})
        engine = create_engine(
            address,
            pool_pre_ping=address.get_backend_name() != "sqlite",
            hide_parameters=True,  # a fault that is logged names no address
        )
    except OSError as error:
        raise DatabaseError(f"PAPERBOY_DATABASE_URL cannot be used: {error}") from None
    except (ArgumentError, ValueError):  # their texts can hold the password
        raise DatabaseError("PAPERBOY_DATABASE_URL is no address of a database") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a settled delivery survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail with "database is locked".
    reads_only = connection.get_execution_options().get("reads_only")
    with driver(connection) as raw:
        raw.execute("BEGIN" if reads_only else "BEGIN IMMEDIATE")


@contextmanager
def driver(connection: Connection) -> Iterator[Any]:
    """The driver's own connection.

    Raises:
        DBAPIError: as SQLAlchemy does.
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
    """An engine and the maker of its sessions."""

    engine: Engine
    sessions: Sessions


def open_database(url: str) -> Database:
    """The database at `url`, checked to be in the state that this version needs.

    Raises:
        DatabaseError: it cannot be used as it is.
    """
    engine = open_engine(url)
    check(engine)
    return Database(engine, sessionmaker(engine, expire_on_commit=False))


def reading(database: Database) -> Session:
    """A session that only reads, for as long as that takes: on SQLite it keeps no writer waiting."""
    return database.sessions(bind=database.engine.execution_options(reads_only=True))


def lock(session: Session, name: str) -> None:
    """Let one transaction at a time pass, until it ends; SQLite's transactions do so already."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": zlib.crc32(name.encode())})


def look_anew(session: Session, table: str) -> None:
    """Tell PostgreSQL that much was added to a table; SQLite goes by the indices whatever is in them.

    It looks by itself only a minute later, or when a tenth of the table is new. Until then it would read
    and sort all that waits to take the first few.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"ANALYZE (SKIP_LOCKED) {table}"))


@contextmanager
def exclusive(engine: Engine, name: str, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold `name` across all processes that use an SQLite file; one that dies lets go of it at once.

    While another holds it this waits, and calls `on_wait` before it does.
    """
    path = Path(f"{engine.url.database}.{name}.lock")
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(engine: Engine) -> str:
    """Bring the tables to the newest version and return its name.

    Raises:
        DatabaseError: the database cannot be reached, refuses, or is of a newer Paperboy.
    """
    config = _migrations()
    try:
        with engine.begin() as connection:
            _refuse_newer(MigrationContext.configure(connection).get_current_revision())
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as error:
        raise DatabaseError(f"the database cannot be migrated: {first_line(error)}") from None
    return newest_version()


def check(engine: Engine) -> None:
    """Make sure that the tables are there; an SQLite file not yet made is set up.

    Raises:
        DatabaseError: the database cannot be reached, needs `paperboy migrate`, or is of a newer Paperboy.
    """
    database = engine.url.database
    if engine.dialect.name == "sqlite" and database and not Path(database).exists():
        migrate(engine)
        return
    try:
        current = version_of(engine)
    except SQLAlchemyError as error:
        raise DatabaseError(f"the database cannot be reached: {first_line(error)}") from None
    _refuse_newer(current)
    if current != newest_version():
        raise DatabaseError("the database is not up to date: run `paperboy migrate`")


def _refuse_newer(current: str | None) -> None:
    if current and current > (newest := newest_version()):
        raise DatabaseError(
            f"the database is at version {current}, this Paperboy knows {newest}: update this installation"
        )


def version_of(engine: Engine) -> str | None:
    """The version of the tables; None where there are none yet.

    Raises:
        SQLAlchemyError: the database cannot be reached or refuses.
    """
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_version() -> str:
    """The version of the tables that this Paperboy needs."""
    return str(ScriptDirectory.from_config(_migrations()).get_current_head())


def first_line(error: Exception) -> str:
    """What the database says is wrong, without the statement and its parameters."""
    said = str(getattr(error, "orig", error)).strip() or type(error).__name__
    return said.splitlines()[0]
