"""The flow that reads bounce mails, every quarter of an hour."""

from datetime import datetime
from typing import Any

from prefect import flow

from bounces.handler import read_inbox
from flows.run_names import named, timed_name
from flows.run_results import publish_summary
from flows.runtime import alert_on_failure, as_task, completed, moment, open_run
from mailings.context import clock_from, identity_from
from monitoring.run_summaries import values_summary


@flow(
    name="bounces",
    flow_run_name=named(timed_name("bounces")),
    on_failure=[alert_on_failure],
    on_crashed=[alert_on_failure],
)
def bounces(now: datetime | None = None) -> dict[str, Any]:
    """Read what came to PAPERBOY_INBOX_URL. Without that setting there is nothing to do.

    Args:
        now: Act as if it were this time.
    """
    with open_run() as (settings, database):
        if settings.inbox_url is None:
            return completed("PAPERBOY_INBOX_URL is not set: no returned mail is read", {})
        inbox, identity = settings.inbox_url.get_secret_value(), identity_from(settings)
        clock = clock_from(now and moment(now))
        counts = as_task("read", lambda: read_inbox(inbox, database.sessions, identity, clock))
        line = f"{counts.total()} mails read"
        publish_summary("bounces", values_summary("Returned mails", counts), line)
        return completed(line, dict(counts))
