"""How connections to a database are set up."""

from core.database import Database

SYNCHRONOUS_FULL = 2  # as `PRAGMA synchronous` returns it


def test_what_sqlite_has_committed_survives_a_power_cut(sqlite_database: Database) -> None:
    """In WAL mode only this level waits for the disk at each commit, and nothing but a power cut shows it."""
    with sqlite_database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == SYNCHRONOUS_FULL
