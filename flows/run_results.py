"""What runs show in Prefect: summaries in Markdown, and the progress of sending."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from prefect import runtime
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.client.orchestration import get_client
from prefect.exceptions import TerminationSignal
from prefect.states import Cancelling
from sqlalchemy.orm import Session

from core.database import Database, first_line, read_only, transact
from core.settings import Settings
from delivery.progress import Progress, ignore_progress
from delivery.queries import refusals_of_slot
from delivery.report import DigestReport
from monitoring.run_summaries import digest_summary, interrupted_line, interrupted_summary

logger = logging.getLogger(__name__)


def publish_summary(key: str, markdown: str, line: str) -> None:
    """Show what a run did, and keep it under its key with those of earlier runs.

    The run has done its work, so it does not fail if Prefect's server cannot keep the summary.
    """
    try:
        create_markdown_artifact(markdown, key=key, description=line)
    except Exception as error:  # noqa: BLE001  whatever it is, the report is in the log and in the database
        logger.warning("Prefect cannot keep the summary of this run: %s", first_line(error))


def publish_digest(key: str, report: DigestReport, settings: Settings, database: Database) -> None:
    """Show a run that sends: its counts, what servers said, and links to the operator's pages."""
    refusals = transact(database.sessions, lambda session: refusals_of_slot(session, report.slot))
    pages = f"{settings.base_url}/operator" if settings.operators else ""
    publish_summary(key, digest_summary(report, refusals, pages), report.line())


def sending_progress(key: str) -> Progress:
    """A progress bar in Prefect. The mails go out even if Prefect's server cannot show it."""
    try:
        artifact = create_progress_artifact(progress=0.0, key=key, description="Mails tried")
    except Exception as error:  # noqa: BLE001  whatever it is, it concerns nobody's mail
        logger.warning("Prefect cannot show the progress of this run: %s", first_line(error))
        return ignore_progress
    assert isinstance(artifact, UUID)  # noqa: S101  it is a coroutine only in an event loop

    def show(done: int, total: int) -> None:
        with suppress(Exception):
            update_progress_artifact(
                artifact, progress=100.0 * done / max(total, 1), description=f"{done} of {total} mails tried"
            )

    return show


@contextmanager
def tells_what_is_left(
    key: str, what: str, database: Database, count: Callable[[Session], Counter[str]]
) -> Iterator[list[UUID]]:
    """Say what is left if the run is interrupted. If it is cancelled, its further senders are cancelled as well.

    The list is for the ids of these senders' runs. `count` gives the deliveries by state.
    """
    senders: list[UUID] = []
    try:
        yield senders
    except TerminationSignal:
        with suppress(Exception):  # the run ends in any case
            _cancel_with_this_run(senders)
        _say_what_is_left(key, what, database, count)
        raise


def _say_what_is_left(
    key: str, what: str, database: Database, count: Callable[[Session], Counter[str]]
) -> None:
    try:
        with read_only(database) as session:
            states = count(session)
        line = interrupted_line(what, states)
        logger.warning("%s", line)
        publish_summary(key, interrupted_summary(what, states), line)
    except Exception as error:  # noqa: BLE001  whatever it is, the run ends
        logger.warning("what is left of %s could not be told: %s", what, first_line(error))


def _cancel_with_this_run(runs: list[UUID]) -> None:
    """Cancel other runs if this one is cancelled. If only its worker is stopped, they go on elsewhere."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(runtime.flow_run.id)).state
        if state and state.is_cancelling():
            for run in runs:
                client.set_flow_run_state(run, Cancelling())
