"""The flows, run by a real Prefect server, and the deployments that a user gets."""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from making import NOW, reader
from prefect.client.orchestration import get_client
from prefect.client.schemas.schedules import CronSchedule
from prefect.testing.utilities import prefect_test_harness
from smtp_server import ScriptedServer

from core.database import migrate, open_database, open_engine
from flows.bounces import bounces
from flows.digest import digest
from flows.doors import RunFailedError
from flows.ingest import ingest
from flows.resend import resend
from flows.upkeep import upkeep
from issues.feed import FeedError
from paperboy.sample.forum import Forum

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))[
    "deployments"
]


@pytest.fixture(scope="module", autouse=True)
def _prefect() -> Iterator[None]:
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    with prefect_test_harness(server_startup_timeout=90):
        yield


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """The sample forum ingested by its flow, two readers, and the mail server they get mail from."""
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'paperboy.db'}"
    migrate(open_engine(url))
    with Forum() as forum, ScriptedServer() as running:
        monkeypatch.setenv("PAPERBOY_DATABASE_URL", url)
        monkeypatch.setenv("PAPERBOY_FEED_URL", forum.feed_url)
        monkeypatch.setenv("PAPERBOY_ALLOWED_HOSTS", "127.0.0.1")
        monkeypatch.setenv("PAPERBOY_SMTP_URL", f"smtp://{running.host}:{running.port}")
        monkeypatch.setenv("PAPERBOY_SETTLE_MINUTES", "0")
        assert len(ingest(now=NOW)["new"]) == 3
        with open_database(url).sessions.begin() as session:
            reader(session, "minji@example.com", language="ko", frequency="weekly")
            reader(session, "bob@example.com", language="en", frequency="daily")
        yield running


def _artifacts() -> set[str]:
    with get_client(sync_client=True) as client:
        return {str(artifact.key) for artifact in client.read_artifacts()}


def test_the_flows_bring_the_feed_to_the_inbox_and_leave_artifacts(server: ScriptedServer) -> None:
    assert digest("weekly", now=NOW)["sent"] == 1
    assert digest("daily", now=NOW)["sent"] == 1
    assert resend("2026-03-02", to="minji@example.com", now=NOW)["copies"] == 1, "a dry run by default"
    assert resend("2026-03-02", to="minji@example.com", dry_run=False, now=NOW)["sent"] == 1
    assert upkeep(now=NOW)["retries"]["sent"] == 0
    assert [message.rcpt for message in server.messages] == [
        ["minji@example.com"],
        ["bob@example.com"],
        ["minji@example.com"],
    ]
    assert {
        "ingest",
        "digest-weekly",
        "digest-daily-progress",
        "resend-plan",
        "resend",
        "upkeep",
    } <= _artifacts()


def test_a_run_that_stopped_for_a_fault_of_ours_is_a_failed_run_with_its_reason(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERBOY_SMTP_URL", "smtp://127.0.0.1:1")
    with pytest.raises(RunFailedError, match="1 deliveries stay planned"):
        digest("weekly", now=NOW)
    monkeypatch.setenv("PAPERBOY_SMTP_URL", f"smtp://{server.host}:{server.port}")
    assert upkeep(now=NOW)["retries"]["sent"] == 1, "the next run sends what was left"


def test_returned_mail_is_read_where_an_inbox_is_set(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.messages == []
    assert bounces(now=NOW) == {}
    for name in ("new", "cur"):
        (tmp_path / "returned" / name).mkdir(parents=True)
    (tmp_path / "returned" / "new" / "1").write_bytes(b"Subject: hello\n\n")
    monkeypatch.setenv("PAPERBOY_INBOX_URL", f"maildir://{tmp_path / 'returned'}")
    assert bounces(now=NOW) == {"kept": 1}
    assert "bounces" in _artifacts()


def test_a_feed_that_cannot_be_read_fails_the_run(server: ScriptedServer) -> None:
    assert server.messages == []
    with pytest.raises(FeedError, match=r"127\.0\.0\.1"):
        ingest.with_options(retries=0)(feed_url="http://127.0.0.1:1/feed.rss", now=NOW)


def test_every_deployment_names_a_flow_that_is_there() -> None:
    for deployment in DEPLOYMENTS:
        path, _, name = deployment["entrypoint"].partition(":")
        module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        assert getattr(module, name).name == name


def test_digests_go_out_at_eight_in_seoul_and_the_feed_is_read_every_hour() -> None:
    schedules = {
        deployment["name"]: [CronSchedule(**schedule) for schedule in deployment.get("schedules", [])]
        for deployment in DEPLOYMENTS
    }
    crons = {name: [schedule.cron for schedule in found] for name, found in schedules.items()}
    assert crons["daily"] == ["0 8 * * *"]
    assert crons["weekly"] == ["0 8 * * 1"]
    assert crons["hourly"] == ["5 * * * *"]
    assert crons["by-hand"] == []
    assert {schedule.timezone for found in schedules.values() for schedule in found} == {"Asia/Seoul"}
