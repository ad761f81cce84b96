"""The subscribers of a scenario of kills: some are unknown to the server, some are suppressed, one is forgotten."""

from datetime import UTC, datetime

from sqlalchemy import delete, insert

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from delivery.models import Delivery, DomainPause, EditionRow
from subscribers.models import AccountEvent, Subscriber, Suppression
from subscribers.status import SubscriberStatus
from tests.support.servers.smtp_sink import UNKNOWN


def seed(database: Database, count: int) -> None:
    """Replace all rows by new subscribers.

    Some are unknown to the server, some are suppressed, and some are at throttled domains. One is forgotten.
    """
    now = datetime.now(UTC)
    numbers = range(count)
    with database.sessions.begin() as session:
        for table in (Delivery, EditionRow, AccountEvent, Subscriber, Suppression, DomainPause):
            session.execute(delete(table))
        subscribers = [subscriber_row(number, SubscriberStatus.ACTIVE, now) for number in numbers]
        forgotten = subscriber_row(count, SubscriberStatus.FORGOTTEN, now)
        session.execute(insert(Subscriber), [*subscribers, forgotten])
        suppressed = [address_of(number) for number in numbers if number % 50 == 13]
        session.execute(
            insert(Suppression),
            [{"email": email, "reason": "complained", "created_at": now} for email in suppressed],
        )
        throttled = [address_of(number).partition("@")[2] for number in numbers if number % 10 == 0]
        session.execute(
            insert(DomainPause),
            [{"domain": domain, "interval": 0.1, "next_at": now} for domain in throttled],
        )


def address_of(number: int) -> str:
    return f"{UNKNOWN if number % 50 == 7 else 'reader'}{number}@example{number}.com"


def subscriber_row(number: int, status: SubscriberStatus, now: datetime) -> dict[str, object]:
    return {
        "email": address_of(number),
        "language": Language.KO,
        "frequency": Frequency.WEEKLY,
        "status": status,
        "handle": f"{number:016x}",
        "created_at": now,
        "confirmed_at": now,
    }
