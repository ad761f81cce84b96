"""The reference in docs/reference is what the code says now, and leaves nothing out."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from bench.reference.alarms import all_alarms
from bench.reference.commands import all_commands
from bench.reference.pages import PAGES, PART, PARTS, filled
from core.database import Database
from core.settings import Settings
from flows.run_events import EVENTS
from monitoring.prometheus import MetricsCache

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    """The text of a page of the reference."""
    return (ROOT / "docs" / "reference" / f"{name}.md").read_text("utf-8")


def headings(name: str) -> list[str]:
    """The headings of the second level of a page."""
    return re.findall(r"(?m)^## (.+)$", page(name))


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem)
def test_a_page_of_the_reference_is_what_the_code_says_now(file: Path) -> None:
    text = file.read_text("utf-8")
    assert filled(text) == text, "the code has changed: run `make reference`"


def test_every_part_of_the_reference_is_on_one_page() -> None:
    placed = [found[2] for file in PAGES for found in PART.finditer(file.read_text("utf-8"))]
    assert sorted(placed) == sorted(PARTS)


def test_every_setting_and_command_has_its_entry() -> None:
    rows = re.findall(r"(?m)^\| `PAPERBOY_(\w+)` \|", page("settings"))
    assert sorted(rows) == sorted(name.upper() for name in Settings.model_fields)
    assert headings("commands") == [name for name, _ in all_commands()]


def test_every_deployment_has_its_row_and_every_flow_its_parameters() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
    names = [f"{entry['entrypoint'].rpartition(':')[2]}/{entry['name']}" for entry in deployments]
    assert re.findall(r"(?m)^\| `(\w+/[\w-]+)` \|", page("flows")) == names
    assert set(headings("flows")) >= {name.partition("/")[0] for name in names}


def test_every_alarm_has_its_row() -> None:
    said = [alarm.what for alarm in all_alarms()]
    assert len(said) > 8
    assert re.findall(r"(?m)^\| ([^|]+) \|", page("alarms"))[2:] == said


def test_every_event_that_a_run_can_emit_has_its_entry() -> None:
    names = {
        name
        for file in (ROOT / "flows").glob("*.py")
        for name in re.findall(r"\"(paperboy\.[a-z]+\.[a-z_]+)\"", file.read_text("utf-8"))
    }
    assert set(headings("events")) == names == set(EVENTS)


def test_the_metrics_of_the_reference_are_those_that_are_served(sqlite_database: Database) -> None:
    served = MetricsCache(sqlite_database, lambda: datetime(2026, 6, 15, tzinfo=UTC)).text().decode()
    names = re.findall(r"(?m)^# TYPE (paperboy_\w+)", served)
    assert sorted(re.findall(r"(?m)^\| `(paperboy_\w+)` \|", page("metrics"))) == sorted(names)
