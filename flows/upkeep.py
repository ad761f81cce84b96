"""The flow between digests: retries, digests that had to wait for papers, expired sign-ups, old bounce mails."""

from datetime import datetime
from typing import Any

from prefect import flow

from bounces.handler import discard_old_raw_mails
from core.database import read_only
from flows.runtime import (
    alert_on_failure,
    fail_run,
    moment,
    open_installation,
    publish_result,
    raise_alarms,
)
from mailings.context import open_sending_context, rules_from
from mailings.upkeep import run_upkeep
from monitoring.alarms import bounce_alarms


@flow(name="upkeep", on_failure=[alert_on_failure], on_crashed=[alert_on_failure])
def upkeep(now: datetime | None = None) -> dict[str, Any]:
    """Send what is due again and forget sign-ups that were never confirmed."""
    settings, database = open_installation()
    with open_sending_context(settings, database, now and moment(now)) as context:
        report = run_upkeep(context, local_now=settings.local(moment(now)), rules=rules_from(settings))
    with database.sessions.begin() as session:
        discard_old_raw_mails(session, moment(now))
    result = {
        **report.counts,
        "retries": report.retries.as_json(),
        "late": [late.as_json() for late in report.late],
    }
    with read_only(database) as session:
        alarms = list(bounce_alarms(session, moment(now), settings.bounce_alarm))
    raise_alarms(settings, database, alarms, now)
    publish_result("upkeep", report.retries.line(), result)
    fail_run(report.fault)
    return result
