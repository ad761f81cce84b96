"""The flow of a further sender: it helps to send a digest that another run has planned."""

from datetime import datetime
from typing import Any

from prefect import flow

from delivery import sender
from flows.runtime import end, moment, open_store, show, tell_of_failure
from mailings.context import open_office, rules_of


@flow(name="drain", on_failure=[tell_of_failure], on_crashed=[tell_of_failure])
def drain(slot: str, now: datetime | None = None) -> dict[str, Any]:
    """Send what waits in the slot, together with all other senders; `now` is that of their digest."""
    settings, database = open_store()
    with open_office(settings, database, now and moment(now)) as office:
        drained = sender.drain(office, slot, repeat_uncertain=rules_of(settings).repeat_uncertain)
    show("drain", f"{slot}: {drained.states.total()} deliveries by this sender", dict(drained.states))
    end(f"{slot} stopped: {drained.stopped}" if drained.stopped else "")
    return dict(drained.states)
