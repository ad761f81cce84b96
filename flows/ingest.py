"""The flow that reads the feed, every hour."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from prefect import flow

from core.database import read_only
from flows.operations import raise_alarms
from flows.runtime import alert_on_failure, moment, open_installation, publish_result
from mailings import intake
from mailings.context import intake_rules_from
from monitoring.alarms import issue_alarms


@flow(
    name="ingest",
    retries=2,
    retry_delay_seconds=120,
    timeout_seconds=600,
    on_failure=[alert_on_failure],
    on_crashed=[alert_on_failure],
)
def ingest(
    feed_url: str | None = None, topic_urls: list[str] | None = None, now: datetime | None = None
) -> dict[str, Any]:
    """Read the feed of the settings (or the one named), or only the topics named."""
    settings, database = open_installation()
    report = intake.ingest(
        database.sessions,
        feed_url=feed_url or (None if topic_urls else settings.feed_url),
        topic_urls=topic_urls or [],
        rules=intake_rules_from(settings),
        now=moment(now),
    )
    with read_only(database) as session:
        alarms = list(issue_alarms(session, moment(now)))
    raise_alarms(settings, database, alarms, now and moment(now))
    result = asdict(report)
    publish_result("ingest", report.line(), result)
    return result
