"""Backs up the database while everything runs: SQLite by its backup API, PostgreSQL by pg_dump."""

import os
import secrets
import shutil
import sqlite3
import subprocess
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, Engine

from core.database import DatabaseError

SUFFIXES = {"sqlite": ".db", "postgresql": ".dump"}


def back_up(engine: Engine, to: Path, local: datetime) -> Path:
    """Write a consistent copy of the database, readable by its owner only, and return its path.

    `to` is a file, or a folder in which the file is named by the `local` time. A path without a suffix means a folder,
    which is made if it is not there, unless a file has that path. An older file is replaced once the copy is complete.

    Raises:
        DatabaseError: the copy cannot be made. What was there stays.
    """
    kind = engine.dialect.name
    is_folder = to.is_dir() or not (to.suffix or to.exists())
    path = to / f"paperboy-{local:%Y%m%dT%H%M%S}{SUFFIXES[kind]}" if is_folder else to
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        if is_folder:
            to.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        if kind == "sqlite":
            _copy_sqlite(Path(str(engine.url.database)), fresh)
        else:
            _dump_postgresql(engine, fresh)
        fresh.replace(path)
    except sqlite3.Error as error:
        raise DatabaseError(f"{path} cannot be written: {error}") from None
    except OSError as error:
        raise DatabaseError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            fresh.unlink()
    return path


def _copy_sqlite(database: Path, to: Path) -> None:
    if not database.exists():
        raise DatabaseError(f"there is no database {database} yet")
    with closing(sqlite3.connect(database, timeout=30)) as source, closing(sqlite3.connect(to)) as copy:
        source.backup(copy)  # in one step: a sender writes on meanwhile, and the copy is of one moment
        copy.execute("PRAGMA journal_mode = DELETE")  # so that the copy is one file
        (result,) = copy.execute("PRAGMA quick_check").fetchone()
    if result != "ok":
        raise DatabaseError(f"the copy of the database is damaged: {result}")


def _dump_postgresql(engine: Engine, to: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise DatabaseError(
            "pg_dump is not installed here: install PostgreSQL's client programs (postgresql-client)"
        )
    url = engine.url
    # The password does not belong into the list of processes, wherever the URL has it.
    password = url.password or url.query.get("password")
    query = url.difference_update_query(["password"]).query
    address = URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)
    environment = {**os.environ, "PGPASSWORD": str(password)} if password else dict(os.environ)
    target = f"--dbname={address.render_as_string(hide_password=False)}"
    dump = [program, "--format=custom", "--no-password", f"--file={to}", target]
    done = subprocess.run(dump, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"it ended with {done.returncode}"
        raise DatabaseError(f"pg_dump failed: {reason}")
