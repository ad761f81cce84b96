"""The flow of a further sender, which helps to send a digest that another run has planned."""

from datetime import datetime
from functools import partial
from typing import Any

from prefect import flow

from delivery.counts import count_slot_by_state
from delivery.sender import send_due
from flows.run_names import named, sender_name
from flows.run_results import publish_summary, sending_progress, tells_what_is_left
from flows.runtime import alert_on_failure, as_task, completed, fail_run, moment, open_run
from mailings.context import open_sending_context, rules_from
from monitoring.run_summaries import values_summary


@flow(
    name="drain",
    flow_run_name=named(sender_name),
    on_failure=[alert_on_failure],
    on_crashed=[alert_on_failure],
)
def drain(slot: str, now: datetime | None = None) -> dict[str, Any]:
    """Send what waits in the slot, together with all other senders.

    Args:
        slot: The slot of the digest, such as `weekly:2025-W32`.
        now: The time of the digest, if it acts as if it were another.
    """
    with open_run() as (settings, database):
        repeat_uncertain = rules_from(settings).repeat_uncertain
        with (
            tells_what_is_left("drain", slot, database, partial(count_slot_by_state, slot=slot)),
            open_sending_context(settings, database, now and moment(now)) as context,
        ):
            progress = sending_progress("drain-progress")
            result = as_task(
                "send",
                lambda: send_due(context, slot, repeat_uncertain=repeat_uncertain, progress=progress),
            )
        states = {str(state): count for state, count in result.states.items()}
        line = f"{slot}: {result.states.total()} deliveries by this sender"
        publish_summary("drain", values_summary(slot, states), line)
        fail_run(f"{slot} stopped: {result.stopped}" if result.stopped else "")
        return completed(line, states)
