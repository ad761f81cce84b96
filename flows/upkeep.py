"""The flow between digests: retries, issues that came late, expired sign-ups, old bounce mails."""

from datetime import datetime
from typing import Any

from prefect import flow

from flows.operations import upkeep_result, whole_upkeep
from flows.runtime import alert_on_failure, fail_run, moment, open_installation, publish_result


@flow(name="upkeep", on_failure=[alert_on_failure], on_crashed=[alert_on_failure])
def upkeep(now: datetime | None = None) -> dict[str, Any]:
    """Send what is due again and forget sign-ups that were never confirmed."""
    settings, database = open_installation()
    report = whole_upkeep(settings, database, now and moment(now))
    publish_result("upkeep", report.retries.line(), upkeep_result(report))
    fail_run(report.fault)
    return upkeep_result(report)
