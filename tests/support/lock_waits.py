"""Waits until two transactions meet."""

import time

from sqlalchemy import text

from core.database import Database

MAX_SECONDS = 10


def wait_for_a_waiting_transaction(database: Database) -> None:
    """Wait until another transaction waits for a lock. SQLite lets none begin."""
    if database.engine.dialect.name != "postgresql":
        return
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    deadline = time.monotonic() + MAX_SECONDS
    while time.monotonic() < deadline:
        with database.engine.connect() as connection:
            if connection.scalar(waiting):
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")
