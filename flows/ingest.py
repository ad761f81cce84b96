"""The flow that reads the feed, every hour."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from prefect import flow

from core.database import read_only
from flows.operations import raise_alarms
from flows.run_events import tell_of_issues
from flows.run_names import named, timed_name
from flows.run_results import publish_summary
from flows.runtime import alert_on_failure, as_task, completed, moment, open_run
from mailings import intake
from mailings.context import intake_rules_from
from monitoring.alarms import issue_alarms
from monitoring.run_summaries import values_summary


@flow(
    name="ingest",
    flow_run_name=named(timed_name("ingest")),
    retries=2,
    retry_delay_seconds=120,
    timeout_seconds=600,
    on_failure=[alert_on_failure],
    on_crashed=[alert_on_failure],
)
def ingest(
    feed_url: str | None = None, topic_urls: list[str] | None = None, now: datetime | None = None
) -> dict[str, Any]:
    """Read the feed of the settings (or the one named), or only the topics named.

    Args:
        feed_url: A feed in place of that of the settings.
        topic_urls: Addresses of topics, for posts that left the feed. The feed is not read then.
        now: Act as if it were this time.
    """
    at = moment(now)
    with open_run() as (settings, database):
        report = as_task(
            "read",
            lambda: intake.ingest(
                database.sessions,
                feed_url=feed_url or (None if topic_urls else settings.feed_url),
                topic_urls=topic_urls or [],
                rules=intake_rules_from(settings),
                now=at,
            ),
        )
        with read_only(database) as session:
            alarms = list(issue_alarms(session, at))
        raise_alarms(settings, database, alarms, now and at)
        tell_of_issues(database, report, at)
        result = asdict(report)
        publish_summary("ingest", values_summary("Feed", result), report.line())
        return completed(report.line(), result)
