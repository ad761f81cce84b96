"""What tests of import and export share: CSV rows, a key, a time zone, and reading and deleting all subscribers."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from sqlalchemy import select

from core.database import Database
from subscribers.models import AccountEvent, Subscriber
from subscribers.transfer import ImportReport, RejectedRow

KEY = b"a key for tests only"
SEOUL = ZoneInfo("Asia/Seoul")
CSV_HEADER = "email,language,frequency,name,confirmed_at\n"
ImportText = Callable[..., tuple[ImportReport, list[RejectedRow]]]


def csv_rows(count: int, first: int = 0) -> str:
    """CSV rows of `count` Korean weekly subscribers, numbered from `first`."""
    return "".join(f"subscriber{n:05}@example.com,ko,weekly,,\n" for n in range(first, first + count))


def all_subscribers(database: Database) -> list[tuple[str, ...]]:
    """Address, choices, name and status of all subscribers, in the order of addresses."""
    with database.sessions() as session:
        rows = session.scalars(select(Subscriber))
        return sorted(
            (row.email, row.language, row.frequency, row.detail, row.name, row.status) for row in rows
        )


def delete_all_subscribers(database: Database) -> None:
    """Delete all subscribers and their events."""
    with database.sessions.begin() as session:
        session.query(AccountEvent).delete()
        session.query(Subscriber).delete()
