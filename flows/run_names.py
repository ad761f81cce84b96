"""The names of runs in Prefect, by slot or by local time. They hold no address."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from prefect import runtime

from core.frequencies import Frequency
from core.settings import SettingsError, load_settings
from core.slots import digest_slot


def named(name: Callable[[dict[str, Any], datetime], str]) -> Callable[[], str]:
    """What Prefect calls for the name of a run. `name` gets the run's parameters and its local time.

    Without usable settings a run keeps the name that Prefect gave it. It then fails with the reason.
    """

    def run_name() -> str:
        parameters = dict(runtime.flow_run.parameters)
        try:
            return name(parameters, _local_time(parameters.get("now")))
        except SettingsError:
            return str(runtime.flow_run.name)

    return run_name


def _local_time(now: object) -> datetime:
    zone = load_settings().zone
    given = datetime.fromisoformat(now) if isinstance(now, str) else now
    if not isinstance(given, datetime):
        return datetime.now(UTC).astimezone(zone)
    return given.astimezone(zone) if given.tzinfo else given.replace(tzinfo=zone)


def digest_name(parameters: dict[str, Any], local_now: datetime) -> str:
    """The slot: `weekly 2026-W49`."""
    return words_of(digest_slot(Frequency(parameters["frequency"]), local_now))


def sender_name(parameters: dict[str, Any], _local_now: datetime) -> str:
    """The slot of the digest that a further sender helps to send: `sender of weekly 2026-W49`."""
    return f"sender of {words_of(str(parameters['slot']))}"


def timed_name(flow: str) -> Callable[[dict[str, Any], datetime], str]:
    """The name of a flow, and when it runs: `upkeep 2026-12-07 08:15`."""
    return lambda _parameters, local_now: f"{flow} {local_now:%Y-%m-%d %H:%M}"


def resend_name(parameters: dict[str, Any], _local_now: datetime) -> str:
    """What is sent again: `resend 2026-03-02`, or `plan of resend 2026-03-02`."""
    delivery = parameters.get("delivery")
    what = (
        f"delivery {delivery}"
        if delivery
        else " ".join(str(parameters.get("issue") or "nothing").split())[:40]
    )
    return f"{'plan of ' if parameters.get('dry_run', True) else ''}resend {what}"


def words_of(slot: str) -> str:
    """A slot as an operator reads it: `weekly:2026-W49` becomes `weekly 2026-W49`."""
    return slot.replace(":", " ")
