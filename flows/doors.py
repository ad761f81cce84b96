"""What every flow opens and how it ends: settings, database, the time, the failure of a run."""

from datetime import UTC, datetime
from typing import Any

from prefect.artifacts import create_table_artifact

from core.database import Database, open_database
from core.settings import Settings, load


class RunFailedError(Exception):
    """The run ended, but must count as failed; the message says what to mend."""


def open_store() -> tuple[Settings, Database]:
    """The settings in force and their database."""
    settings = load()
    return settings, open_database(settings.database_url)


def moment(now: datetime | None) -> datetime:
    """The time a run acts at: the one given (for trials), or now."""
    if now is None:
        return datetime.now(UTC)
    return now if now.tzinfo else now.replace(tzinfo=load().zone)


def show(key: str, description: str, values: dict[str, Any]) -> None:
    """A run's result as a table of two columns."""
    rows = [{"what": name, "result": str(value)} for name, value in values.items()]
    create_table_artifact(key=key, table=rows, description=description)


def end(fault: str) -> None:
    """Fail the run if there is a fault.

    Raises:
        RunFailedError: there is one.
    """
    if fault:
        raise RunFailedError(fault)
