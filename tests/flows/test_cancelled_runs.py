"""A digest that a worker of Prefect runs, and that is cancelled there: it stops between two mails."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelling

from core.database import Database
from core.frequencies import Frequency
from core.schema import open_database
from flows.digest import digest
from tests.flows.test_run_pages import artifacts, log_lines
from tests.support.commands import ROOT
from tests.support.factories import NOW, add_issue, add_subscriber, issue_of
from tests.support.outbox import deliveries, recipients, states
from tests.support.servers.smtp import ScriptedServer

READERS = 200
SLOW_SECONDS = 2.0  # of each mail, so that a digest takes longer than a further sender needs to begin
SLOT = "weekly:2025-W32"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A mail server, without the sample forum of the other tests."""
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def installation(
    database_url: str, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """A database of each kind with an issue and its readers, named by the settings."""
    database = open_database(database_url)
    with database.sessions.begin() as session:
        add_issue(session, issue_of(2, start=date(2025, 7, 28)), now=NOW - timedelta(days=1))
        for number in range(READERS):
            add_subscriber(session, f"reader{number}@example{number}.com")
    for name, value in {
        "DATABASE_URL": database_url,
        "SMTP_URL": f"smtp://{server.host}:{server.port}",
        "FEED_URL": "http://127.0.0.1:1/feed",
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATA_DIR": str(tmp_path),
    }.items():
        monkeypatch.setenv(f"PAPERBOY_{name}", value)
    yield database
    database.engine.dispose()


@contextmanager
def worker(log: Path) -> Iterator[None]:
    """A worker of Prefect with the settings of this process."""
    environment = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value() or "", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "paperboy"]
    with (
        log.open("w") as output,
        subprocess.Popen(  # noqa: S603  nothing is from outside
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        ) as process,
    ):
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def start(name: str, **parameters: object) -> FlowRun:
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(name)
        return client.create_flow_run_from_deployment(deployment.id, parameters=parameters)


def has_ended(run: FlowRun) -> bool:
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run.id).state
    return state is not None and state.is_final()


def state_of(run: FlowRun) -> str | None:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run.id).state_name


def further_senders() -> list[FlowRun]:
    """The runs of further senders, newest first."""
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=["mails"])))
    return [run for run in runs if "slot" in run.parameters]


def test_a_run_cancelled_in_prefect_says_what_is_left_and_the_next_run_sends_it(
    installation: Database, server: ScriptedServer, deployed: list[str], tmp_path: Path
) -> None:
    assert deployed
    server.on_body = lambda _message: time.sleep(SLOW_SECONDS)
    is_shared = installation.engine.dialect.name == "postgresql"
    with worker(tmp_path / "worker.log"):
        run = start("digest/weekly", now=NOW.isoformat(), senders=2 if is_shared else 1)
        wait_until(lambda: len(server.messages) > 4, "no mail came")
        if is_shared:
            wait_until(lambda: server.sessions > 4, "the further sender did not begin")
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(run.id, Cancelling())
        runs = [run, *(further_senders() if is_shared else [])]
        wait_until(lambda: all(map(has_ended, runs)), "a run did not end")
    assert {state_of(each) for each in runs} == {"Cancelled"}
    assert len(runs) == (2 if is_shared else 1)
    found = states(installation)
    assert set(found) == {"sent", "planned"}
    assert found["sent"] == len(server.messages)
    said = [line for _, line in log_lines(run) if line.startswith(f"{SLOT} was interrupted: ")]
    if not is_shared:  # the other sender may still be at its last mail
        assert said == [
            f"{SLOT} was interrupted: {found['sent']} sent, {found['planned']} left, which the next run sends"
        ]
    assert said[0] in str(artifacts(run)["digest-weekly"])
    server.on_body = None
    assert digest(Frequency.WEEKLY, now=NOW)["sent"] == found["planned"]
    assert sorted(recipients(server)) == sorted(f"reader{n}@example{n}.com" for n in range(READERS))
    assert {delivery.repeats for delivery in deliveries(installation)} == {0}
