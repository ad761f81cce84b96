"""What is left of a subscriber outside the tables after they were forgotten: old bytes in files, mails in a mailbox."""

from core.database import Database, raw_connection
from core.settings import Settings
from delivery.transport.mailbox import delete_mails_to


def erase_traces_of(address: str, settings: Settings, database: Database) -> None:
    """Erase what is left of an address whose subscriber was forgotten, once that is committed."""
    delete_mails_to(settings.mailbox_dir, address)
    _empty_write_ahead_log(database)


def _empty_write_ahead_log(database: Database) -> None:
    """Write SQLite's log of changes (WAL) into the file, which overwrites what was deleted. PostgreSQL vacuums by itself.

    While another process reads an older state the log stays, and the next call or checkpoint overwrites it.
    """
    if database.engine.dialect.name == "sqlite":
        with database.engine.connect() as connection, raw_connection(connection) as raw:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
