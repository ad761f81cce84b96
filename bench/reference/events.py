"""The part of the reference about events: `flows.run_events`."""

from bench.reference.tables import code, table
from flows.run_events import EVENTS, EventKind


def text() -> str:
    """A section for each event."""
    return "\n".join(_section(name, event) for name, event in EVENTS.items())


def _section(name: str, event: EventKind) -> str:
    rows = ((code(field), meaning) for field, meaning in event.payload.items())
    return "\n\n".join(
        [
            f"## {name}",
            f"{event.when} Its resource is {code(event.resource)}.",
            table(("payload", "meaning"), rows),
        ]
    )
