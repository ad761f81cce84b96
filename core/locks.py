"""Locks that let one process at a time do something: in PostgreSQL, or beside an SQLite file."""

import fcntl
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session


def advisory_lock(session: Session, name: str) -> None:
    """Let one transaction at a time pass, until it ends. SQLite allows only one writer at a time anyway.

    A transaction that takes several locks takes them in this order, or PostgreSQL ends one as a deadlock: `ingest`,
    `papers`, `planning`, `bounce mail`, `counts`.
    """
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
