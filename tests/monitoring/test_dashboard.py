"""The dashboard for Grafana asks for metrics, labels and values that Paperboy has."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from core.database import Database
from core.frequencies import Frequency
from core.run_log import RunKind
from delivery.report import DigestReport
from delivery.states import DeliveryState
from monitoring import prometheus
from subscribers.status import SubscriberStatus
from tests.support.factories import NOW

DASHBOARD: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "grafana.json").read_text(encoding="utf-8")
)
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_the_dashboard_shows_every_metric_and_no_other(sqlite_database: Database) -> None:
    metrics = prometheus.MetricsCache(sqlite_database, lambda: NOW).text().decode()
    asked = {name for expression in EXPRESSIONS for name in re.findall(r"paperboy_\w+", expression)}
    assert asked == set(re.findall(r"# TYPE (paperboy_\w+) gauge", metrics))


def test_the_dashboard_asks_for_labels_and_values_that_exist() -> None:
    values: dict[str, set[str]] = {
        "status": set(SubscriberStatus),
        "state": set(DeliveryState),
        "kind": set(RunKind),
        "frequency": set(Frequency),
        "result": {field.name for field in fields(DigestReport)},
    }
    for expression in EXPRESSIONS:
        for label, value in re.findall(r'(\w+)=~?"([^"]*)"', expression):
            assert set(value.split("|")) <= values[label], expression


def test_the_dashboard_can_be_imported_into_any_grafana() -> None:
    """An import asks for what `__inputs` names, and puts it in place of `${DS_PROMETHEUS}`."""
    assert [entry["name"] for entry in DASHBOARD["__inputs"]] == ["DS_PROMETHEUS"]
    sources = [part["datasource"] for panel in DASHBOARD["panels"] for part in (panel, *panel["targets"])]
    assert {source["uid"] for source in sources} == {"${DS_PROMETHEUS}"}
    identities = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identities)) == len(identities)
    assert {panel["type"] for panel in DASHBOARD["panels"]} <= {
        entry["id"] for entry in DASHBOARD["__requires"]
    }
