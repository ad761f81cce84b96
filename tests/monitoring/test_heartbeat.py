"""The heartbeat reaches Healthchecks and Uptime Kuma with a run's counts, and never fails a run."""

import logging
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from monitoring.heartbeat import send_heartbeat
from tests.support.servers.monitor import Monitor, running_monitor

LINE = "weekly:2025-W32: 46 candidates, 42 sent, 2 deferred, 2 failed, 0 uncertain, 0 skipped, 0 planned"


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    with running_monitor() as server:
        yield server


def test_healthchecks_gets_the_counts_and_the_fault_of_a_run(monitor: Monitor) -> None:
    url = SecretStr(f"{monitor.url}/ping/0f0f")
    send_heartbeat(url, LINE)
    send_heartbeat(url, LINE, "weekly:2025-W32 stopped: login refused")
    assert monitor.heard == [
        ("POST", "/ping/0f0f", LINE),
        ("POST", "/ping/0f0f/fail", "weekly:2025-W32 stopped: login refused"),
    ]


def test_uptime_kuma_gets_them_as_status_and_message(monitor: Monitor) -> None:
    url = SecretStr(f"{monitor.url}/api/push/0f0f?status=up&msg=OK&ping=")
    send_heartbeat(url, LINE)
    send_heartbeat(url, LINE, "stopped: no address like minji@example.com & more")
    (up, down) = (parse_qs(urlsplit(path).query) for _, path, _ in monitor.heard)
    assert (up["status"], up["msg"]) == (["up"], [LINE])
    assert down["status"] == ["down"]
    assert "minji" not in down["msg"][0]
    assert "& more" in down["msg"][0]


def test_a_monitor_that_refuses_or_is_away_is_a_warning_without_its_secret_address(
    monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    monitor.status = 500
    with caplog.at_level(logging.WARNING):
        send_heartbeat(SecretStr(f"{monitor.url}/ping/secret-0f0f"), LINE)
        send_heartbeat(SecretStr("http://127.0.0.1:9/ping/secret-0f0f"), LINE)
    assert len(caplog.messages) == 2
    assert "500" in caplog.messages[0]
    assert "secret-0f0f" not in caplog.text
