"""What an operator sees of a run in Prefect: its name, tasks, state, log and artifacts. No subscriber's address."""

import json
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterStartTime,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.logging.handlers import APILogHandler

from core.errors import RunFailedError
from core.frequencies import Frequency
from core.schema import open_database
from core.settings import load_settings
from flows.digest import digest
from flows.ingest import ingest
from flows.resend import resend
from flows.upkeep import upkeep
from mailings.resend.request import ResendError
from tests.flows.alarm_mails import OPERATOR, alarm_subjects
from tests.support.factories import NOW, add_subscriber
from tests.support.servers.smtp import ScriptedServer
from tests.support.site import until

ADDRESSES = ("minji@example.com", "bob@example.com", "full@example.com")


def last_run() -> FlowRun:
    """The flow run that began last."""
    with get_client(sync_client=True) as client:
        has_begun = FlowRunFilter(start_time=FlowRunFilterStartTime(is_null_=False))
        runs = client.read_flow_runs(flow_run_filter=has_begun, sort=FlowRunSort.START_TIME_DESC, limit=1)
    return runs[0]


def task_names(run: FlowRun) -> list[str]:
    with get_client(sync_client=True) as client:
        found = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])))
    return [task.name for task in sorted(found, key=lambda task: str(task.start_time))]


def wait_for_tasks(run: FlowRun, *names: str) -> None:
    """Wait until the run has these tasks, in this order: Prefect's server stores them some time after they ended."""
    until(lambda: task_names(run) == list(names), f"the tasks {names}")


def artifacts(run: FlowRun) -> dict[str, Any]:
    """The data of the run's artifacts, by their keys."""
    with get_client(sync_client=True) as client:
        of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
        return {
            str(artifact.key): artifact.data for artifact in client.read_artifacts(artifact_filter=of_run)
        }


def log_lines(run: FlowRun) -> list[tuple[str, str]]:
    """The logger and the message of each line in the run's log."""
    APILogHandler().flush()
    with get_client(sync_client=True) as client:
        found = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])))
    return [(line.name, line.message) for line in found]


def everything(run: FlowRun) -> str:
    """All that Prefect shows of a run, but for what somebody typed into its form."""
    shown = [run.name, run.state and run.state.message, artifacts(run), log_lines(run), task_names(run)]
    return json.dumps(shown, ensure_ascii=False)


def refuse_one(server: ScriptedServer) -> None:
    """Let the server refuse one weekly subscriber, in words that name them in two ways."""
    with open_database(load_settings().database_url).sessions.begin() as session:
        add_subscriber(session, "full@example.com", language="ko", frequency="weekly")
    refusal = "552 5.2.2 <full@example.com> the mailbox of full is over quota"
    server.on_rcpt = lambda address: refusal if "full@" in address else None


def test_the_page_of_a_digest_has_its_slot_steps_counts_and_the_words_of_servers(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERBOY_OPERATOR_TOKEN", "x" * 30)
    refuse_one(server)
    report = digest(Frequency.WEEKLY, now=NOW)
    assert (report["sent"], report["failed"]) == (1, 1)
    run = last_run()
    assert run.name == "weekly 2025-W32"
    wait_for_tasks(run, "read", "plan", "send", "account")
    assert run.state
    assert run.state.message is not None
    assert run.state.message.startswith("weekly:2025-W32: 2 candidates, 1 sent, 0 deferred, 1 failed")
    found = artifacts(run)
    assert found["digest-weekly-progress"] == 100.0
    summary = str(found["digest-weekly"])
    assert (
        "| failed | rcpt: 552 5.2.2 &lt;address> the mailbox of &lt;address> is over quota | 1 |" in summary
    )
    assert "/operator/mails?slot=weekly%3A2025-W32&state=failed)" in summary
    assert not [address for address in ADDRESSES if address in everything(run)]


def test_the_log_of_a_run_has_our_lines_also_those_of_the_senders_thread(server: ScriptedServer) -> None:
    refuse_one(server)
    digest(Frequency.WEEKLY, now=NOW)
    lines = log_lines(last_run())
    loggers = {logger for logger, _ in lines}
    assert {"core.run_log", "delivery.sender"} <= loggers
    assert [message for logger, message in lines if logger == "delivery.sender"] == [
        "mail failed: rcpt: 552 5.2.2 <address> the mailbox of full is over quota"
    ]


def test_the_page_of_an_upkeep_has_its_time_in_the_settings_zone(server: ScriptedServer) -> None:
    assert server.messages == []
    upkeep(now=NOW)
    run = last_run()
    assert run.name == "upkeep 2025-08-04 17:00"
    assert run.state
    assert (run.state.message or "").startswith("retries: 0 candidates")
    wait_for_tasks(run, "accounts", "send", "late issues", "retention")


def test_the_page_of_a_resend_names_no_reader(server: ScriptedServer) -> None:
    digest(Frequency.WEEKLY, now=NOW)
    ingest(now=NOW)
    resend("2026-03-02", to="minji@example.com", now=NOW)
    plan = last_run()
    assert plan.name == "plan of resend 2026-03-02"
    assert "minji@example.com" not in everything(plan)
    resend("2026-03-02", to="minji@example.com", dry_run=False, now=NOW)
    sent = last_run()
    assert sent.name == "resend 2026-03-02"
    wait_for_tasks(sent, "plan", "enqueue", "send", "account")
    assert "minji@example.com" not in everything(sent)
    assert len(server.messages) == 2


def test_a_wrong_request_for_a_resend_is_a_failed_run_with_one_line_and_no_alarm(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERBOY_OPERATOR", OPERATOR)
    with pytest.raises(ResendError):
        resend("2026-03-02", now=NOW)
    state = last_run().state
    assert state
    assert (state.type.value, state.message) == (
        "FAILED",
        "say to whom: an address, a group, a language or a frequency",
    )
    assert alarm_subjects(server) == []


def test_a_run_that_fails_for_a_fault_of_ours_is_named_by_its_slot_too(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.messages == []
    monkeypatch.setenv("PAPERBOY_SMTP_URL", "smtp://127.0.0.1:1")
    with pytest.raises(RunFailedError):
        digest(Frequency.WEEKLY, now=NOW)
    run = last_run()
    assert (run.name, run.state and run.state.type.value) == ("weekly 2025-W32", "FAILED")
    assert "stopped: " in str(artifacts(run)["digest-weekly"])
