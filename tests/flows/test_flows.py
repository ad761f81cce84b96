"""The flows, run by a real Prefect server, and the deployments of prefect.yaml."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import get_client

import core.database
from core.database import DatabaseError
from core.errors import RunFailedError
from core.frequencies import Frequency
from flows.digest import digest
from flows.drain import drain
from flows.ingest import ingest
from flows.read_bounces import bounces
from flows.resend import resend
from flows.upkeep import upkeep
from issues.fetch import FeedError
from tests.flows.alarm_mails import OPERATOR, alarm_subjects, alarm_text
from tests.support.factories import NOW
from tests.support.servers.smtp import ScriptedServer, in_order

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))[
    "deployments"
]
SCHEDULES = {  # the cron line and time zone of each deployment that has a schedule
    "ingest/hourly": ("5 * * * *", "Asia/Seoul"),
    "digest/daily": ("0 8 * * *", "Asia/Seoul"),
    "digest/weekly": ("0 8 * * 1", "Asia/Seoul"),
    "upkeep/quarter-hourly": ("*/15 * * * *", "Asia/Seoul"),
    "bounces/quarter-hourly": ("*/15 * * * *", "Asia/Seoul"),
}


def _artifacts() -> set[str]:
    with get_client(sync_client=True) as client:
        return {str(artifact.key) for artifact in client.read_artifacts()}


def _summaries(key: str) -> str:
    """All summaries under a key."""
    with get_client(sync_client=True) as client:
        return "\n".join(str(artifact.data) for artifact in client.read_artifacts() if artifact.key == key)


def test_the_flows_mail_the_papers_of_the_feed_and_publish_artifacts(server: ScriptedServer) -> None:
    assert digest(Frequency.WEEKLY, now=NOW)["sent"] == 1
    assert digest(Frequency.DAILY, now=NOW)["sent"] == 1
    assert resend("2026-03-02", to="minji@example.com", now=NOW)["copies"] == 1, (
        "only the plan is made by default"
    )
    assert resend("2026-03-02", to="minji@example.com", dry_run=False, now=NOW)["sent"] == 1
    assert upkeep(now=NOW)["retries"]["sent"] == 0
    assert [message.rcpt for message in server.messages] == [
        ["minji@example.com"],
        ["bob@example.com"],
        ["minji@example.com"],
    ]
    keys = {"ingest", "digest-weekly", "digest-daily-progress", "resend-plan", "resend", "upkeep"}
    assert keys <= _artifacts()
    assert "issue 2026-03-02" in _summaries("ingest")


def test_a_run_that_the_mail_server_stopped_fails_with_the_reason(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERBOY_SMTP_URL", "smtp://127.0.0.1:1")
    with pytest.raises(RunFailedError, match="1 deliveries stay planned"):
        digest(Frequency.WEEKLY, now=NOW)
    with pytest.raises(RunFailedError, match=r"^weekly:2025-W32 stopped: "):
        drain("weekly:2025-W32", now=NOW)
    monkeypatch.setenv("PAPERBOY_SMTP_URL", f"smtp://{server.host}:{server.port}")
    assert upkeep(now=NOW)["retries"]["sent"] == 1, "the next run sends the rest"


def test_bounce_mails_are_read_once_an_inbox_is_set(
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


def test_a_digest_goes_out_with_what_is_stored_when_the_feed_cannot_be_read(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERBOY_FEED_URL", "http://127.0.0.1:1/feed.rss")
    report = digest(Frequency.WEEKLY, now=NOW)
    assert "127.0.0.1:1/feed.rss could not be read" in report["feed"]
    assert (report["sent"], [message.rcpt for message in server.messages]) == (1, [["minji@example.com"]])


def test_a_weekly_digest_sends_a_probe_first_and_goes_out_whatever_becomes_of_it(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("new", "cur"):
        (tmp_path / "inbox" / name).mkdir(parents=True)
    monkeypatch.setenv("PAPERBOY_INBOX_URL", f"maildir://{tmp_path / 'inbox'}")
    monkeypatch.setenv("PAPERBOY_OPERATOR", OPERATOR)
    monkeypatch.setenv("PAPERBOY_PROBE_WEEKLY", "true")
    monkeypatch.setenv("PAPERBOY_PROBE_SECONDS", "1")
    assert digest(Frequency.WEEKLY, now=NOW)["sent"] == 1
    assert digest(Frequency.DAILY, now=NOW)["sent"] == 1
    probe_to = "bounces@paperboy.localhost"
    recipients = [message.rcpt[0] for message in server.messages]
    assert recipients == [probe_to, OPERATOR, "minji@example.com", "bob@example.com"]
    assert alarm_subjects(server) == ["Paperboy needs you: the probe found a fault"]


# --- alarms ------------------------------------------------------------------------


def test_the_operator_is_told_once_a_day_that_a_run_failed(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERBOY_OPERATOR", OPERATOR)
    for _ in range(2):
        with pytest.raises(FeedError):
            ingest.with_options(retries=0)(feed_url="http://127.0.0.1:1/feed.rss", now=NOW)
    assert alarm_subjects(server) == ["Paperboy needs you: a run of ingest failed"]
    assert "127.0.0.1:1/feed.rss could not be read" in alarm_text(server)


def test_a_failure_that_cannot_be_mailed_is_logged_and_mailed_after_the_next_run(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PAPERBOY_OPERATOR", OPERATOR)
    server.on_mail = "550 5.7.1 Not your domain"
    with pytest.raises(RunFailedError):
        digest(Frequency.WEEKLY, now=NOW)
    assert "a run of digest failed: weekly:2025-W32 stopped" in caplog.text
    assert "the operator could not be told" in caplog.text
    server.on_mail = in_order("550 5.7.1 Not your domain")
    with pytest.raises(RunFailedError):
        digest(Frequency.WEEKLY, now=NOW)
    assert alarm_subjects(server) == ["Paperboy needs you: a run of digest failed"]


def test_a_failure_without_a_database_is_logged_without_the_password(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PAPERBOY_OPERATOR", OPERATOR)
    monkeypatch.setenv("PAPERBOY_DATABASE_URL", "postgresql://paperboy:secret@127.0.0.1:1/paperboy")
    monkeypatch.setattr(core.database, "MAX_DATABASE_OUTAGE", timedelta(0))
    with pytest.raises(DatabaseError):
        upkeep(now=NOW)
    assert "a run of upkeep failed" in caplog.text
    assert "secret" not in caplog.text
    assert server.messages == []


def test_an_ingest_tells_the_operator_of_a_silent_forum_and_does_not_fail(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERBOY_OPERATOR", OPERATOR)
    in_summer = datetime(2026, 6, 1, tzinfo=UTC)
    server.on_rcpt = "451 4.3.0 later"
    assert ingest(now=in_summer)["not_modified"] is True
    server.on_rcpt = None
    for _ in range(2):
        ingest(now=in_summer)
    assert alarm_subjects(server) == ["Paperboy needs you: no new issue for ten days"]
