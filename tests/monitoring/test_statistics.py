"""The statistics say the same on both databases, in whatever time zone PostgreSQL is."""

from datetime import UTC, date, datetime

from sqlalchemy import text

from core.database import Database
from monitoring.statistics import subscribers_by_week
from tests.support.factories import add_subscriber

SUNDAY_EVENING = datetime(2025, 8, 3, 18, 0, tzinfo=UTC)  # in Seoul, it is Monday


def test_who_joins_on_sunday_evening_is_in_that_week_by_utc(database: Database) -> None:
    with database.sessions.begin() as session:
        if database.engine.dialect.name == "postgresql":
            session.execute(text("SET LOCAL TIME ZONE 'Asia/Seoul'"))
        add_subscriber(session).confirmed_at = SUNDAY_EVENING
        session.flush()
        series = subscribers_by_week(session, "language", SUNDAY_EVENING)
        assert series.weeks == [date(2025, 7, 28)]
        assert sum(counts[0] for counts in series.counts.values()) == 1
