"""What every flow uses: settings and database, the time, steps as tasks, and how a run ends."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from prefect import Flow, State, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun
from prefect.states import Completed, Failed

from core.database import Database, first_line
from core.errors import PaperboyError, RunFailedError
from core.logs import configure_logging
from core.schema import open_database
from core.settings import Settings, load_settings
from delivery.transport.base import without_addresses
from flows.operations import raise_alarms
from flows.run_logs import logs_in_prefect
from monitoring.alarms import failed_run_alarm

logger = logging.getLogger(__name__)
T = TypeVar("T")

MAX_REASON_CHARACTERS = 500
REFUSED = "Refused"
INVALID_PARAMETERS = "Validation of flow parameters failed"  # as Prefect's engine says it


@contextmanager
def open_run() -> Iterator[tuple[Settings, Database]]:
    """The settings and their database, for one run of a flow. Our log lines are in the run's log in Prefect."""
    with logs_in_prefect(runtime.flow_run.id):
        yield _open_installation(waits=True)


def _open_installation(*, waits: bool) -> tuple[Settings, Database]:
    """The settings and their database, which a run waits for while it is away."""
    settings = load_settings()
    configure_logging(settings.log_format)
    return settings, open_database(settings.database_url, waits=waits)


def moment(now: datetime | None) -> datetime:
    """The time at which a run acts: the given one (for trials), or now."""
    if now is None:
        return datetime.now(UTC)
    return now if now.tzinfo else now.replace(tzinfo=load_settings().zone)


# --- steps --------------------------------------------------------------------------


def as_task(name: str, work: Callable[[], T], /) -> T:
    """Do a step of a run as a task, so that Prefect shows when it began, how long it took and how it ended."""
    as_step = task(name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)
    return as_step(work)()


# --- how a run ends -----------------------------------------------------------------


def completed(line: str, values: T) -> T:
    """The end of a run whose state says `line`. Prefect gives the caller of the flow the values."""
    return cast("T", Completed(message=line, data=values))


def refused(error: PaperboyError) -> dict[str, Any]:
    """The end of a run that was started with a wrong parameter. The run has failed, and its state says what is wrong.

    Whoever started it sees that, so there is no alarm. The state has a name of its own, because automations for failed
    runs go by the name.
    """
    return cast("dict[str, Any]", Failed(name=REFUSED, message=without_addresses(str(error)), data=error))


def fail_run(fault: str) -> None:
    """Fail the run if there is a fault.

    Raises:
        RunFailedError: there is one.
    """
    if fault:
        raise RunFailedError(fault)


def alert_on_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Tell the operator about a run that failed for good or crashed. A run with a wrong parameter raises no alarm.

    Prefect calls this as a hook.
    """
    if state.name == REFUSED or (state.message or "").startswith(INVALID_PARAMETERS):
        return
    with logs_in_prefect(str(flow_run.id)):
        _alert(flow, flow_run, state)


def _alert(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    reason = (state.message or state.name or "").rpartition("encountered an exception: ")[2]
    reason = " ".join(reason.removeprefix(f"{RunFailedError.__name__}: ").split())[:MAX_REASON_CHARACTERS]
    alarm = failed_run_alarm(flow.name, reason)
    now = flow_run.parameters.get("now")
    try:
        settings, database = _open_installation(waits=False)
    except Exception as error:  # noqa: BLE001  whatever it is, it failed the run as well
        notice = alarm.notice
        logger.warning("%s: %s; nobody could be told: %s", notice.what, notice.cause, first_line(error))
        return
    now = datetime.fromisoformat(now) if isinstance(now, str) else now
    raise_alarms(settings, database, [alarm], now and moment(now))
