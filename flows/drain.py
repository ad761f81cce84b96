"""The flow of a further sender, which helps to send a digest that another run has planned."""

from datetime import datetime
from typing import Any

from prefect import flow

from delivery.sender import send_due
from flows.runtime import alert_on_failure, fail_run, moment, open_installation, publish_result
from mailings.context import open_sending_context, rules_from


@flow(name="drain", on_failure=[alert_on_failure], on_crashed=[alert_on_failure])
def drain(slot: str, now: datetime | None = None) -> dict[str, Any]:
    """Send what waits in the slot, together with all other senders. `now` is that of their digest."""
    settings, database = open_installation()
    with open_sending_context(settings, database, now and moment(now)) as context:
        result = send_due(context, slot, repeat_uncertain=rules_from(settings).repeat_uncertain)
    states = {str(state): count for state, count in result.states.items()}
    publish_result("drain", f"{slot}: {result.states.total()} deliveries by this sender", states)
    fail_run(f"{slot} stopped: {result.stopped}" if result.stopped else "")
    return states
