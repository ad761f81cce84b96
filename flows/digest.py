"""The flow that plans and sends a digest: daily every morning, weekly on Mondays."""

from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.deployments import run_deployment

from flows.runtime import end, moment, open_store, show, tell_of_failure
from mailings.context import open_office, rules_of
from mailings.digest_run import run_digest

HELPERS = "drain/sender"  # the deployment of flows/drain.py


@flow(name="digest", on_failure=[tell_of_failure], on_crashed=[tell_of_failure])
def digest(
    frequency: Literal["weekly", "daily"], senders: int = 1, now: datetime | None = None
) -> dict[str, Any]:
    """Send the frequency's digest of the current slot; a second run sends only what is missing.

    More than one of `senders` needs PostgreSQL: the others are runs on the work pool, on any machine.
    """
    settings, database = open_store()
    artifact = create_progress_artifact(
        progress=0.0, key=f"digest-{frequency}-progress", description="Mails tried"
    )

    def progress(done: int, planned: int) -> None:
        with suppress(Exception):  # a server that shows nothing must not stop the mails
            update_progress_artifact(artifact, progress=100.0 * done / max(planned, 1))  # type: ignore[arg-type, unused-ignore]

    with open_office(settings, database, now and moment(now)) as office:
        report = run_digest(
            office,
            frequency,
            local_now=settings.local(moment(now)),
            rules=rules_of(settings),
            progress=progress,
            call_others=lambda slot: _start_helpers(slot, now, senders - 1),
        )
    progress(1, 1)
    show(f"digest-{frequency}", report.line(), report.as_json())
    end(report.fault)
    return report.as_json()


def _start_helpers(slot: str, now: datetime | None, count: int) -> None:
    parameters = {"slot": slot, "now": now and now.isoformat()}
    for _ in range(count):
        try:
            run_deployment(HELPERS, parameters=parameters, timeout=0, as_subflow=False)
        except Exception as error:  # noqa: BLE001  whatever it is, this run can send all by itself
            get_run_logger().warning("no further sender could be started: %s", error)
            return
