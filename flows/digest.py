"""The flow that plans and sends a digest: daily every morning, weekly on Mondays."""

import logging
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from core.frequencies import Frequency
from core.slots import digest_slot
from delivery.counts import count_slot_by_state
from flows.operations import probe_first
from flows.run_events import tell_of_digest, tell_of_issues
from flows.run_names import digest_name, named
from flows.run_results import publish_digest, sending_progress, tells_what_is_left
from flows.runtime import alert_on_failure, as_task, completed, fail_run, moment, open_run
from mailings.context import intake_rules_from, open_sending_context, rules_from
from mailings.digest_run import run_digest
from mailings.intake import read_news
from monitoring.heartbeat import send_heartbeat

logger = logging.getLogger(__name__)

SENDER_DEPLOYMENT = "drain/sender"  # of flows/drain.py


@flow(
    name="digest",
    flow_run_name=named(digest_name),
    on_failure=[alert_on_failure],
    on_crashed=[alert_on_failure],
)
def digest(frequency: Frequency, senders: int = 1, now: datetime | None = None) -> dict[str, Any]:
    """Read the feed, and send the frequency's digest of the current slot. A second run sends only what is missing.

    Args:
        frequency: Whose digest it is.
        senders: How many send at once. More than one needs PostgreSQL: the others are runs on the work pool, on any
            machine.
        now: Act as if it were this time.
    """
    at, key = moment(now), f"digest-{frequency}"
    with open_run() as (settings, database):
        feed, rules = settings.feed_url, intake_rules_from(settings)
        news = as_task("read", lambda: read_news(database.sessions, feed, rules, at))
        tell_of_issues(database, news.report, at)
        probe_first(settings, database, frequency, step=as_task)
        local_now = settings.local(at)
        slot = digest_slot(frequency, local_now)
        with (
            tells_what_is_left(key, slot, database, partial(count_slot_by_state, slot=slot)) as others,
            open_sending_context(settings, database, now and at) as context,
        ):
            report = run_digest(
                context,
                frequency,
                local_now=local_now,
                rules=rules_from(settings),
                feed=news.fault,
                progress=sending_progress(f"{key}-progress"),
                start_more_senders=lambda slot: others.extend(_start_senders(slot, now, senders - 1)),
                step=as_task,
            )
        publish_digest(key, report, settings, database)
        tell_of_digest(report)
        send_heartbeat(settings.heartbeat_url, report.line(), report.fault)
        fail_run(report.fault)
        return completed(report.line(), report.as_json())


def _start_senders(slot: str, now: datetime | None, count: int) -> list[UUID]:
    """The runs of further senders, as many as can be started."""
    parameters = {"slot": slot, "now": now and now.isoformat()}
    started: list[UUID] = []
    for _ in range(count):
        try:
            run = run_deployment(SENDER_DEPLOYMENT, parameters=parameters, timeout=0, as_subflow=False)
        except Exception as error:  # noqa: BLE001  whatever it is, this run can send everything by itself
            logger.warning("no further sender could be started: %s", error)
            break
        if isinstance(run, FlowRun):  # it is a coroutine only in an event loop
            started.append(run.id)
    return started
