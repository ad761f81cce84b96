"""What every flow opens and how it ends: settings, database, the time, the failure of a run."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from prefect import Flow, State
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import FlowRun

from core import logs
from core.database import Database, first_line, open_database
from core.settings import Settings, load
from mailings.context import open_office
from monitoring import alarms
from monitoring.alarms import Trouble

logger = logging.getLogger(__name__)

LONGEST_REASON = 500  # characters


class RunFailedError(Exception):
    """The run ended, but must count as failed; the message says what to mend."""


def open_store() -> tuple[Settings, Database]:
    """The settings in force and their database."""
    settings = load()
    logs.set_up(settings.log_format)
    return settings, open_database(settings.database_url)


def moment(now: datetime | None) -> datetime:
    """The time a run acts at: the one given (for trials), or now."""
    if now is None:
        return datetime.now(UTC)
    return now if now.tzinfo else now.replace(tzinfo=load().zone)


def tell(settings: Settings, database: Database, troubles: Sequence[Trouble], now: datetime | None) -> None:
    """Tell the operator of troubles; where that cannot be done, no run fails for it."""
    if not troubles:
        return
    try:
        with open_office(settings, database, now and moment(now)) as office:
            alarms.tell(office, settings.operator, troubles, settings.local(moment(now)))
    except Exception as fault:  # noqa: BLE001  whatever it is, the run has its own work
        logger.warning("the operator could not be told: %s", first_line(fault))


def tell_of_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Tell the operator of a run that failed for good or crashed: Prefect calls this then."""
    reason = (state.message or state.name or "").rpartition("encountered an exception: ")[2]
    reason = " ".join(reason.removeprefix(f"{RunFailedError.__name__}: ").split())[:LONGEST_REASON]
    trouble = alarms.failed_run(flow.name, reason)
    now = flow_run.parameters.get("now")
    try:
        settings, database = open_store()
    except Exception as fault:  # noqa: BLE001  whatever it is, it failed the run as well
        told = trouble.notice
        logger.warning("%s: %s; nobody could be told: %s", told.what, told.cause, first_line(fault))
        return
    tell(settings, database, [trouble], datetime.fromisoformat(now) if isinstance(now, str) else now)


def show(key: str, description: str, values: dict[str, Any]) -> None:
    """A run's result as a table of two columns."""
    rows = [{"what": name, "result": _said(value)} for name, value in values.items()]
    create_table_artifact(key=key, table=rows, description=description)


def _said(value: object) -> str:
    """A value in words: what a dictionary or list holds, one after the other."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_said(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return "; ".join(_said(inner) for inner in value)
    return "" if value is None else str(value)


def end(fault: str) -> None:
    """Fail the run if there is a fault.

    Raises:
        RunFailedError: there is one.
    """
    if fault:
        raise RunFailedError(fault)
