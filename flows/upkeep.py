"""The flow between digests: retries, issues that came late, expired sign-ups, old bounce mails."""

from datetime import datetime
from typing import Any

from prefect import flow

from delivery.queries import count_under_way
from flows.operations import upkeep_result, whole_upkeep
from flows.run_events import tell_of_digest, tell_of_readers
from flows.run_names import named, timed_name
from flows.run_results import publish_digest, publish_summary, tells_what_is_left
from flows.runtime import alert_on_failure, as_task, completed, fail_run, moment, open_run
from monitoring.run_summaries import values_summary


@flow(
    name="upkeep",
    flow_run_name=named(timed_name("upkeep")),
    on_failure=[alert_on_failure],
    on_crashed=[alert_on_failure],
)
def upkeep(now: datetime | None = None) -> dict[str, Any]:
    """Send what is due again and forget sign-ups that were never confirmed.

    Args:
        now: Act as if it were this time.
    """
    with open_run() as (settings, database):
        with tells_what_is_left("upkeep", "upkeep", database, count_under_way):
            report = whole_upkeep(settings, database, now and moment(now), step=as_task)
        result = upkeep_result(report)
        publish_summary("upkeep", values_summary("Upkeep", result), report.line())
        tell_of_readers(report.joined)
        for late in report.late:
            publish_digest("digest-late", late, settings, database)
            tell_of_digest(late)
        fail_run(report.fault)
        return completed(report.line(), result)
