"""The flow between digests: retries, digests that papers came too late for, expired sign-ups."""

from datetime import datetime
from typing import Any

from prefect import flow

from core.database import reading
from flows.runtime import end, moment, open_store, show, tell, tell_of_failure
from mailings import upkeep as upkeeping
from mailings.context import open_office, rules_of
from monitoring.alarms import troubles_of_bounces


@flow(name="upkeep", on_failure=[tell_of_failure], on_crashed=[tell_of_failure])
def upkeep(now: datetime | None = None) -> dict[str, Any]:
    """Send what is due again and forget sign-ups that were never confirmed."""
    settings, database = open_store()
    with open_office(settings, database, now and moment(now)) as office:
        report = upkeeping.upkeep(office, local_now=settings.local(moment(now)), rules=rules_of(settings))
    result = {
        **report.counts,
        "retries": report.retries.as_json(),
        "late": [late.as_json() for late in report.late],
    }
    with reading(database) as session:
        troubles = list(troubles_of_bounces(session, moment(now), settings.bounce_alarm))
    tell(settings, database, troubles, now)
    show("upkeep", report.retries.line(), result)
    end(report.fault)
    return result
