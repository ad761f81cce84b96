"""What flows and commands share: alarms to the operator, and the whole upkeep. This module needs no Prefect."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bounces.handler import discard_old_raw_mails
from bounces.probe import probe_rules, run_probe
from core.database import Database, first_line, read_only
from core.frequencies import Frequency
from core.settings import Settings
from core.steps import Step, plain_step
from mailings.context import clock_from, identity_from, open_sending_context, open_transport, rules_from
from mailings.upkeep import UpkeepReport, run_upkeep
from monitoring.alarms import mail_alarms, probe_alarm
from monitoring.heartbeat import send_heartbeat
from monitoring.notices import Alarm, operator_contact, send_alarms

logger = logging.getLogger(__name__)


def raise_alarms(
    settings: Settings, database: Database, alarms: Sequence[Alarm], now: datetime | None
) -> None:
    """Send alarms to the operator. If that is impossible, the run does not fail for it."""
    if not alarms:
        return
    try:
        with open_sending_context(settings, database, now) as context:
            local_now = settings.local(now or datetime.now(UTC))
            send_alarms(context, operator_contact(settings), alarms, local_now)
    except Exception as error:  # noqa: BLE001  the run has done its own work, whatever this is
        logger.warning("the operator could not be told: %s", first_line(error))


def probe_first(
    settings: Settings, database: Database, frequency: Frequency, *, step: Step = plain_step
) -> None:
    """Before a weekly digest, if the settings say so, send a probe and raise an alarm about what it finds.

    Nothing that happens here stops the digest.
    """
    if settings.probe_weekly and frequency == Frequency.WEEKLY:
        cause = step("probe", lambda: _fault_of_a_probe(settings))
        raise_alarms(settings, database, [probe_alarm(cause)] if cause else [], None)


def _fault_of_a_probe(settings: Settings) -> str:
    """What a probe finds to be broken, or an empty string. It names no address, because it is logged."""
    try:
        identity = identity_from(settings)
        with open_transport(settings) as transport:
            found = run_probe(transport, identity, probe_rules(settings, identity), clock_from(None))
    except Exception as error:  # noqa: BLE001  whatever it is, the digest goes on
        return f"No probe could be made: {first_line(error)}."
    broken = dict.fromkeys(
        finding.name.partition(" at ")[0] for finding in found if finding.state == "failed"
    )
    return f"What failed: {'; '.join(broken)}." if broken else ""


def whole_upkeep(
    settings: Settings, database: Database, now: datetime | None, *, step: Step = plain_step
) -> UpkeepReport:
    """Upkeep of accounts and mails, and of returned mails, with the alarms that they raise. `now` is for trials."""
    moment = now or datetime.now(UTC)
    with open_sending_context(settings, database, now) as context:
        report = run_upkeep(context, local_now=settings.local(moment), rules=rules_from(settings), step=step)
    with database.sessions.begin() as session:
        discard_old_raw_mails(session, moment)
    with read_only(database) as session:
        alarms = list(mail_alarms(session, moment, settings.bounce_alarm))
    raise_alarms(settings, database, alarms, now)
    send_heartbeat(settings.heartbeat_url, report.line(), report.fault)
    return report


def upkeep_result(report: UpkeepReport) -> dict[str, Any]:
    """What an upkeep did, as JSON values."""
    return {
        **report.counts,
        "retries": report.retries.as_json(),
        "late": [late.as_json() for late in report.late],
    }
