"""The flow that plans and sends a digest: daily every morning, weekly on Mondays."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.deployments import run_deployment

from core.frequencies import Frequency
from flows.runtime import alert_on_failure, fail_run, moment, open_installation, publish_result
from mailings.context import intake_rules_from, open_sending_context, rules_from
from mailings.digest_run import run_digest
from mailings.intake import read_news

SENDER_DEPLOYMENT = "drain/sender"  # of flows/drain.py


@flow(name="digest", on_failure=[alert_on_failure], on_crashed=[alert_on_failure])
def digest(frequency: Frequency, senders: int = 1, now: datetime | None = None) -> dict[str, Any]:
    """Read the feed, and send the frequency's digest of the current slot. A second run sends only what is missing.

    More than one of `senders` needs PostgreSQL: the others are runs on the work pool, on any machine.
    """
    settings, database = open_installation()
    artifact = create_progress_artifact(
        progress=0.0, key=f"digest-{frequency}-progress", description="Mails tried"
    )

    def progress(done: int, total: int) -> None:
        with suppress(Exception):  # the mails go on even if Prefect's server cannot show the progress
            update_progress_artifact(artifact, progress=100.0 * done / max(total, 1))  # type: ignore[arg-type, unused-ignore]

    feed = read_news(database.sessions, settings.feed_url, intake_rules_from(settings), moment(now))
    with open_sending_context(settings, database, now and moment(now)) as context:
        report = run_digest(
            context,
            frequency,
            local_now=settings.local(moment(now)),
            rules=rules_from(settings),
            feed=feed,
            progress=progress,
            start_more_senders=lambda slot: _start_senders(slot, now, senders - 1),
        )
    progress(1, 1)
    publish_result(f"digest-{frequency}", report.line(), report.as_json())
    fail_run(report.fault)
    return report.as_json()


def _start_senders(slot: str, now: datetime | None, count: int) -> None:
    parameters = {"slot": slot, "now": now and now.isoformat()}
    for _ in range(count):
        try:
            run_deployment(SENDER_DEPLOYMENT, parameters=parameters, timeout=0, as_subflow=False)
        except Exception as error:  # noqa: BLE001  whatever it is, this run can send everything by itself
            get_run_logger().warning("no further sender could be started: %s", error)
            return
