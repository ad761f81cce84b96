"""The space that the database takes, and how an SQLite file gives free space back to the file system.

SQLite uses the pages of deleted rows again. It gives them back in steps (PRAGMA incremental_vacuum) if the file was
made for that. New files are, and an older file is after one VACUUM. PostgreSQL's autovacuum needs no help.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from core.database import raw_connection

PAGES_PER_STEP = 500  # 2 MB, which takes a few milliseconds
MAX_FREE_SHARE = 0.1  # of the file, above which pages are given back; the next mails use the others
_INCREMENTAL = 2  # SQLite's number of this mode


@dataclass(frozen=True)
class DatabaseSize:
    """The bytes that the database takes, how many of them are free, and whether these can be given back in steps."""

    total: int
    free: int = 0
    is_shrinkable: bool = True

    @property
    def free_share(self) -> float:
        """The free share of the file."""
        return self.free / self.total if self.total else 0.0


def database_size(session: Session) -> DatabaseSize:
    """How much space the database takes now."""

    def number(sql: str) -> int:
        return int(session.execute(text(sql)).scalar_one())

    if session.get_bind().dialect.name == "postgresql":
        return DatabaseSize(number("SELECT pg_database_size(current_database())"))
    page = number("PRAGMA page_size")
    return DatabaseSize(
        number("PRAGMA page_count") * page,
        number("PRAGMA freelist_count") * page,
        number("PRAGMA auto_vacuum") == _INCREMENTAL,
    )


def give_back_free_pages(engine: Engine, is_over: Callable[[], bool], pause: Callable[[], None]) -> int:
    """Give free pages of an SQLite file back to the file system, step by step. Returns by how many bytes it shrank.

    It ends when only MAX_FREE_SHARE is free, or when the time `is_over`. Other transactions pass in each `pause`.
    """
    if engine.dialect.name != "sqlite":
        return 0
    given_back = 0
    with engine.connect() as connection, raw_connection(connection) as raw:

        def pragma(name: str) -> int:
            return int(raw.execute(f"PRAGMA {name}").fetchone()[0])

        if pragma("auto_vacuum") != _INCREMENTAL:
            return 0
        while pragma("freelist_count") > MAX_FREE_SHARE * pragma("page_count") and not is_over():
            before = pragma("page_count")
            raw.execute(f"PRAGMA incremental_vacuum({PAGES_PER_STEP})").fetchall()
            if (shrunk := before - pragma("page_count")) <= 0:
                break
            given_back += shrunk
            pause()
        return given_back * pragma("page_size")


def vacuum(engine: Engine) -> None:
    """Write the database anew without free space, in one step.

    Nobody can write meanwhile. An SQLite file needs as much free disk as it is large.
    """
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM FULL"))
        return
    with engine.connect() as connection, raw_connection(connection) as raw:
        raw.execute("VACUUM")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
