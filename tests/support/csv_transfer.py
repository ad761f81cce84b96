"""What tests of import and export share: a key and a zone, what an import gives back, and all readers."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from sqlalchemy import select

from core.database import Database
from subscribers.models import AccountEvent, Subscriber
from subscribers.transfer import ImportReport, RejectedRow

KEY = b"a key for tests only"
SEOUL = ZoneInfo("Asia/Seoul")
Take = Callable[..., tuple[ImportReport, list[RejectedRow]]]


def everybody(database: Database) -> list[tuple[str, ...]]:
    """What matters of all subscribers, in order of address."""
    with database.sessions() as session:
        rows = session.scalars(select(Subscriber))
        return sorted((row.email, row.language, row.frequency, row.name, row.status) for row in rows)


def delete_everybody(database: Database) -> None:
    with database.sessions.begin() as session:
        session.query(AccountEvent).delete()
        session.query(Subscriber).delete()
