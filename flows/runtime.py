"""What every flow uses: settings and database, the time, artifacts, and the failure of a run."""

import logging
from datetime import UTC, datetime
from typing import Any

from prefect import Flow, State
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import FlowRun

from core.database import Database, first_line
from core.errors import RunFailedError
from core.logs import configure_logging
from core.schema import open_database
from core.settings import Settings, load_settings
from flows.operations import raise_alarms
from monitoring.alarms import failed_run_alarm

logger = logging.getLogger(__name__)

MAX_REASON_CHARACTERS = 500


def open_installation(*, waits: bool = True) -> tuple[Settings, Database]:
    """The settings and their database, which a run waits for while it is away."""
    settings = load_settings()
    configure_logging(settings.log_format)
    return settings, open_database(settings.database_url, waits=waits)


def moment(now: datetime | None) -> datetime:
    """The time at which a run acts: the given one (for trials), or now."""
    if now is None:
        return datetime.now(UTC)
    return now if now.tzinfo else now.replace(tzinfo=load_settings().zone)


def alert_on_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Tell the operator about a run that failed for good or crashed. Prefect calls this as a hook."""
    reason = (state.message or state.name or "").rpartition("encountered an exception: ")[2]
    reason = " ".join(reason.removeprefix(f"{RunFailedError.__name__}: ").split())[:MAX_REASON_CHARACTERS]
    alarm = failed_run_alarm(flow.name, reason)
    now = flow_run.parameters.get("now")
    try:
        settings, database = open_installation(waits=False)
    except Exception as error:  # noqa: BLE001  whatever it is, it failed the run as well
        notice = alarm.notice
        logger.warning("%s: %s; nobody could be told: %s", notice.what, notice.cause, first_line(error))
        return
    now = datetime.fromisoformat(now) if isinstance(now, str) else now
    raise_alarms(settings, database, [alarm], now and moment(now))


def publish_result(key: str, description: str, values: dict[str, Any]) -> None:
    """Publish a run's result as a table artifact of two columns."""
    rows = [{"what": name, "result": _as_text(value)} for name, value in values.items()]
    create_table_artifact(key=key, table=rows, description=description)


def _as_text(value: object) -> str:
    """A value in words; the contents of a dictionary or list one after the other."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_as_text(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return "; ".join(_as_text(inner) for inner in value)
    return "" if value is None else str(value)


def fail_run(fault: str) -> None:
    """Fail the run if there is a fault.

    Raises:
        RunFailedError: there is one.
    """
    if fault:
        raise RunFailedError(fault)
