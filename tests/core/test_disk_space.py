"""An SQLite file gives back what was pruned: a new one in steps, and an older one after one VACUUM."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from core.database import Database, open_engine
from core.disk_space import DatabaseSize, database_size, give_back_free_pages, vacuum
from core.schema import open_database

ROWS, BYTES = 400, 10_000


def size_of(database: Database) -> DatabaseSize:
    with database.sessions() as session:
        return database_size(session)


def fill_and_empty(database: Database) -> None:
    """Write four megabytes, and delete them."""
    with database.engine.begin() as connection:
        for number in range(ROWS):
            row = {"url": str(number), "etag": "x" * BYTES}
            connection.execute(
                text("INSERT INTO feeds (url, etag, fetched_at) VALUES (:url, :etag, '2025-08-04')"), row
            )
        connection.execute(text("DELETE FROM feeds"))


def give_back(database: Database, is_over: Callable[[], bool] = lambda: False) -> int:
    return give_back_free_pages(database.engine, is_over, lambda: None)


def test_a_new_file_shrinks_in_steps_and_keeps_a_tenth_free(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'new.db'}")
    fill_and_empty(database)
    before = size_of(database)
    assert before.is_shrinkable
    assert before.free > ROWS * BYTES
    assert give_back(database, lambda: True) == 0, "the time is over"
    given_back = give_back(database)
    after = size_of(database)
    assert given_back == before.total - after.total > 0.8 * before.free
    assert after.free_share <= 0.1
    database.engine.dispose()
    assert (tmp_path / "new.db").stat().st_size == after.total


def test_an_older_file_shrinks_after_a_vacuum(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.database.AUTO_VACUUM", "NONE")
        database = open_database(url)
        fill_and_empty(database)
        database.engine.dispose()
    database = open_database(url)
    assert not size_of(database).is_shrinkable
    assert give_back(database) == 0
    before = size_of(database).total
    vacuum(database.engine)
    database.engine.dispose()
    database = open_database(url)
    assert size_of(database).is_shrinkable
    assert size_of(database).total < before - ROWS * BYTES
    database.engine.dispose()


def test_postgresql_knows_its_size_and_needs_no_help(database_url: str) -> None:
    if not database_url.startswith("postgresql"):
        pytest.skip("this is about PostgreSQL")
    database = open_database(database_url)
    assert size_of(database).total > 1_000_000
    assert give_back(database) == 0
    vacuum(open_engine(database_url))
    database.engine.dispose()
