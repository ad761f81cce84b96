"""What tests of ingests share: reading a forum, and looking at what is stored."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core.database import Base, Database
from issues.fetch import FeedError
from issues.models import Issue
from issues.queries import shown_content
from mailings.ingest_report import IngestReport
from mailings.intake import ingest
from tests.support.factories import INTAKE_RULES
from tests.support.parsed_posts import as_truth

NOW = datetime(2026, 3, 9, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def read(database: Database, url: str | None, *topics: str, at: datetime = NOW) -> IngestReport:
    """Ingest the feed and the topics at that time."""
    return ingest(database.sessions, feed_url=url, topic_urls=topics, rules=INTAKE_RULES, now=at)


def dump(database: Database, *without: str) -> dict[str, list[Any]]:
    """Every row of every table, without some tables."""
    tables = [table for table in Base.metadata.sorted_tables if table.name not in without]
    with database.engine.connect() as connection:
        return {table.name: sorted(map(repr, connection.execute(select(table)))) for table in tables}


def stored_issues(database: Database) -> dict[int, dict[str, Any]]:
    """The content in force by topic id, in the form of the truth."""
    with database.sessions() as session:
        issues = session.scalars(select(Issue)).all()
        return {issue.topic_id: as_truth(shown_content(issue)) for issue in issues}


def error_of(database: Database, url: str) -> str:
    """The message of an ingest that must fail."""
    with pytest.raises(FeedError) as caught:
        read(database, url, at=NOW + HOUR)
    return str(caught.value)


def feed_of(shared: Any) -> str:
    """The address of the feed of the shared forum."""
    return f"{shared.origin}/c/news/14.rss"
