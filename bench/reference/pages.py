"""The pages of the reference. Each has an introduction by hand, and parts between two marks that the code fills."""

import re
from collections.abc import Callable
from pathlib import Path

from bench.reference import alarms, commands, events, flows, json_interface, metrics, settings

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
PAGES = tuple(sorted(FOLDER.glob("*.md")))
PARTS: dict[str, Callable[[], str]] = {
    "settings": settings.text,
    "commands": commands.text,
    "json interface": json_interface.text,
    "flows": flows.text,
    "alarms": alarms.text,
    "events": events.text,
    "metrics": metrics.text,
}
PART = re.compile(r"(?s)(<!-- generated: ([\w ]+) -->\n).*?(<!-- end -->)")


def filled(page: str) -> str:
    """The text of a page with each part as the code has it now."""
    return PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}", page)
