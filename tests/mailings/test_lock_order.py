"""Work that takes several advisory locks takes them in one order, so that PostgreSQL never ends one as a deadlock."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from core.database import Database
from core.locks import advisory_lock
from mailings.retention import run_retention
from tests.support.factories import NOW, RULES

MAX_SECONDS = 10


def wait_for_a_waiting_lock(database: Database) -> None:
    """Wait until another transaction waits for an advisory lock. SQLite has none."""
    if database.engine.dialect.name != "postgresql":
        return
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    deadline = time.monotonic() + MAX_SECONDS
    while time.monotonic() < deadline:
        with database.engine.connect() as connection:
            if connection.scalar(waiting):
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits for a lock")


def test_retention_passes_while_an_edit_reorders_papers(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """An intake holds the lock of papers when it asks for that of planning."""
    with ThreadPoolExecutor() as threads:
        with database.sessions.begin() as session:
            advisory_lock(session, "papers")
            retention = threads.submit(run_retention, database, NOW + timedelta(days=1), RULES)
            wait_for_a_waiting_lock(database)
            advisory_lock(session, "planning")
        retention.result(MAX_SECONDS)
    assert caplog.messages == [], "nothing was ended and tried again"
