"""The flow that reads the feed, every hour."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from prefect import flow

from core.database import reading
from flows.runtime import moment, open_store, show, tell, tell_of_failure
from mailings import intake as ingesting
from monitoring.alarms import troubles_of_issues


@flow(
    name="ingest",
    retries=2,
    retry_delay_seconds=120,
    timeout_seconds=600,
    on_failure=[tell_of_failure],
    on_crashed=[tell_of_failure],
)
def ingest(
    feed_url: str | None = None, topic_urls: list[str] | None = None, now: datetime | None = None
) -> dict[str, Any]:
    """Read the feed of the settings (or the one named), or only the topics named."""
    settings, database = open_store()
    report = ingesting.ingest(
        database.sessions,
        feed_url=feed_url or (None if topic_urls else settings.feed_url),
        topic_urls=topic_urls or [],
        allowed_hosts=settings.allowed_hosts,
        now=moment(now),
    )
    with reading(database) as session:
        troubles = list(troubles_of_issues(session, moment(now)))
    tell(settings, database, troubles, now)
    result = asdict(report)
    show("ingest", report.line(), result)
    return result
