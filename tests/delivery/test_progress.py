"""The progress of a run is reported, and a slow report delays no mail."""

import threading

import pytest

from core.database import Database
from delivery import claim_buffer, sender
from delivery.context import SendingLimits
from delivery.sender import send_due
from tests.support.factories import sending_context_at
from tests.support.outbox import SLOT, plan_mails, states
from tests.support.servers.smtp import TAKE_AND_DROP, ScriptedServer, in_order


def test_a_slow_progress_report_delays_no_mail(database: Database) -> None:
    plan_mails(database, 5)
    all_sent = threading.Event()
    in_time: list[bool] = []

    def progress(_done: int, _planned: int) -> None:
        in_time.append(all_sent.wait(30))

    def count(_message: object) -> None:
        if len(server.messages) == 4:  # with this one, all
            all_sent.set()

    with ScriptedServer(on_body=count) as server, sending_context_at(database, server) as context:
        send_due(context, None, repeat_uncertain=True, progress=progress)
    assert set(in_time) == {True}
    assert states(database) == {"sent": 5}


@pytest.mark.parametrize("connections", [1, 4])
def test_progress_is_reported_from_zero_to_all_due_mails(
    database: Database, monkeypatch: pytest.MonkeyPatch, connections: int
) -> None:
    monkeypatch.setattr(claim_buffer, "MIN_BATCH", 3)
    monkeypatch.setattr(sender, "WATCH_INTERVAL_SECONDS", 0.001)
    plan_mails(database, 10)
    replies = [None, "550 5.1.1 No such user", "451 4.7.1 Later", TAKE_AND_DROP]
    reports: list[tuple[int, int]] = []
    with (
        ScriptedServer(on_body=in_order(*replies)) as server,
        sending_context_at(database, server, limits=SendingLimits(connections)) as context,
    ):
        result = send_due(
            context, SLOT, repeat_uncertain=False, progress=lambda done, due: reports.append((done, due))
        )
    assert reports[0] == (0, 10)
    assert reports[-1] == (10, 10)
    assert {due for _, due in reports} == {10}
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)
    assert result.states == states(database) == {"sent": 7, "failed": 1, "deferred": 1, "uncertain": 1}


def test_a_run_that_stops_reports_how_far_it_came(database: Database) -> None:
    plan_mails(database, 5)
    reports: list[tuple[int, int]] = []
    with (
        ScriptedServer(on_mail=in_order(None, None, "550 5.7.1 Sender refused")) as server,
        sending_context_at(database, server) as context,
    ):
        send_due(context, SLOT, repeat_uncertain=True, progress=lambda done, due: reports.append((done, due)))
    assert reports[-1] == (2, 5)
