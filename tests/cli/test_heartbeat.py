"""Commands that do what the schedule does send the heartbeat, too."""

import pytest

from core.frequencies import Frequency
from tests.cli.runner import Paperboy
from tests.support.servers.monitor import running_monitor


def test_a_digest_and_an_upkeep_by_command_send_a_heartbeat(
    paperboy: Paperboy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_monitor() as monitor:
        monkeypatch.setenv("PAPERBOY_HEARTBEAT_URL", f"{monitor.url}/ping/0f0f")
        paperboy("digest", Frequency.WEEKLY)
        paperboy("upkeep")
    (digest, upkeep) = (body for _, _, body in monitor.heard)
    assert digest.startswith("weekly:")
    assert "candidates" in digest
    assert "retries" in upkeep
