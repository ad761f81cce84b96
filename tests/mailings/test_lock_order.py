"""Work that takes several advisory locks takes them in one order, so that PostgreSQL never ends one as a deadlock."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from core.database import Database
from core.locks import advisory_lock
from mailings.retention import run_retention
from tests.support.factories import NOW, RULES
from tests.support.lock_waits import wait_for_a_waiting_transaction


def test_retention_passes_while_an_edit_reorders_papers(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """An intake holds the lock of papers when it asks for that of planning."""
    with ThreadPoolExecutor() as threads:
        with database.sessions.begin() as session:
            advisory_lock(session, "papers")
            retention = threads.submit(run_retention, database, NOW + timedelta(days=1), RULES)
            wait_for_a_waiting_transaction(database)
            advisory_lock(session, "planning")
        retention.result(10)
    assert caplog.messages == [], "nothing was ended and tried again"
