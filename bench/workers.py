"""Sends digests by a Prefect server and several workers: how they share the mails, and what happens if one is killed.

Run it with `python -m bench.workers`; it takes a few minutes. Everything runs as in the operator's guide: a
server, a work pool, `prefect deploy --all`, four workers with a sender each and one PostgreSQL database. In the first digest
nobody is disturbed, and the shares of the senders are shown. In the second one a worker that runs a further sender is
killed with all its processes half-way. The exit code is 1 if a run fails, if a mail is missing, or if one
arrives twice without having been marked as uncertain.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from bench.databases import add_subscribers, databases, open_empty
from bench.processes import free_port, show
from core.database import Database
from delivery.models import Delivery
from delivery.states import DeliveryState
from tests.support.factories import add_issue, issue_of
from tests.support.servers.smtp_sink import Sink

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_SECONDS = 300.0  # of each step
MAILS_PER_SECOND = 100  # of each sender, so slow that there is time to kill one half-way


class Prefect:
    """A Prefect server of its own, used by the commands that an operator uses."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self._port = free_port()
        self._api_url = f"http://127.0.0.1:{self._port}/api"
        self._environment = {
            **os.environ,
            **settings,
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": self._api_url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        self._log = (folder / "prefect.log").open("wb")

    def run(self, *arguments: str) -> None:
        """Run a command to its end."""
        subprocess.run(["prefect", *arguments], env=self._environment, cwd=ROOT, stdout=self._log, check=True)

    @contextmanager
    def running(self, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a command, with all processes that it starts, as long as the context lasts."""
        process = subprocess.Popen(
            ["prefect", *arguments],
            env=self._environment,
            cwd=ROOT,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            kill_group(process)

    def server(self) -> AbstractContextManager["subprocess.Popen[bytes]"]:
        """Run the server as long as the context lasts."""
        return self.running("server", "start", "--port", str(self._port))

    def is_up(self) -> bool:
        """Whether the server answers."""
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self._api_url}/health", timeout=5).is_success
        return False

    def find(self, collection: str, **filters: object) -> list[dict[str, object]]:
        """The objects of a collection of the API that match the filters."""
        response = httpx.post(f"{self._api_url}/{collection}/filter", json=filters, timeout=30)
        return list(response.json())

    def runs(self, flow: str) -> list[dict[str, Any]]:
        """The flow's runs, without those that are only scheduled."""
        runs = self.find("flow_runs", flows={"name": {"any_": [flow]}})
        return [run for run in runs if run["state_type"] != "SCHEDULED"]

    def states(self, flow: str) -> list[str]:
        """The states of the flow's runs, without those that are only scheduled."""
        return [str(run["state_type"]) for run in self.runs(flow)]


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill a command together with all processes that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    """Wait until the condition is true, and print what that means."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"timed out after {TIMEOUT_SECONDS:.0f} seconds; expected: {what}")
        time.sleep(0.2)
    show(what)


def count(database: Database, state: DeliveryState) -> int:
    """How many deliveries are in the state."""
    with database.sessions() as session:
        return session.scalar(select(func.count()).where(Delivery.state == state)) or 0


def send_digest(database: Database, prefect: Prefect, subscribers: int, senders: int, *, kill: bool) -> str:
    """Run the digest on as many workers as senders, and perhaps kill one half-way. Returns the state of the run."""
    prefect.run("work-pool", "create", "paperboy", "--type", "process")
    prefect.run("--no-prompt", "deploy", "--all")
    worker = ("worker", "start", "--pool", "paperboy", "--limit", "1", "--name")
    with ExitStack() as workers:
        workers.enter_context(prefect.running(*worker, "first"))
        prefect.run("deployment", "run", "digest/weekly", "-p", f"senders={senders}")
        wait_until("the digest is running", lambda: prefect.states("digest") == ["RUNNING"])
        others = [
            workers.enter_context(prefect.running(*worker, f"worker {number}"))
            for number in range(2, senders + 1)
        ]
        all_running = ["RUNNING"] * (senders - 1)
        wait_until("all further senders are running", lambda: prefect.states("drain") == all_running)
        if kill:
            enough = count(database, DeliveryState.SENT) + subscribers // 5
            wait_until("all have sent mails", lambda: count(database, DeliveryState.SENT) > enough)
            wait_until("some mails are being sent", lambda: count(database, DeliveryState.SENDING) > 0)
            kill_group(others[-1])
            sent = count(database, DeliveryState.SENT)
            show(f"a worker was killed when {sent} of {subscribers} mails were sent")
        wait_until("the digest has ended", lambda: prefect.states("digest") != ["RUNNING"])
        if not kill:
            wait_until("all senders have ended", lambda: "RUNNING" not in prefect.states("drain"))
    return prefect.states("digest")[0]


def show_shares(prefect: Prefect, subscribers: int) -> None:
    """Print how many mails each sender has sent. What the others have not, the digest has."""
    messages = [str(run["state"]["message"]) for run in prefect.runs("drain")]
    others = sorted(int(message.partition(": ")[2].split()[0].replace(",", "")) for message in messages)
    show(f"mails by sender: {subscribers - sum(others)} (the digest itself), {', '.join(map(str, others))}")


def show_results(prefect: Prefect) -> None:
    """Print what the run published in Prefect."""
    for artifact in prefect.find("artifacts"):
        if artifact["key"] in {"digest-weekly", "digest-weekly-progress"}:
            show(f"artifact {artifact['key']}: {artifact['description']} {artifact['data']}")


def check_mails(database: Database, sink: Sink, subscribers: int) -> bool:
    """Compare what the mail server stored with the outbox. Returns whether all is well."""
    with database.sessions() as session:
        rows = session.execute(select(Delivery.message_id, Delivery.state, Delivery.repeats)).all()
    copies = {message_id: stored for (message_id, _), stored in sink.stored.items()}
    sent = sum(row.state == DeliveryState.SENT for row in rows)
    missing = sum(row.message_id not in copies for row in rows)
    repeated = sum(stored > 1 for stored in copies.values())
    unmarked = sum(copies.get(row.message_id, 0) > 1 + row.repeats for row in rows)
    show(
        f"{len(rows)} deliveries, {sent} sent; {len(copies)} mails arrived, {missing} are missing, "
        f"{repeated} arrived twice, {unmarked} of them without having been marked as uncertain"
    )
    return not (missing or unmarked) and len(rows) == subscribers


def run_once(url: str, subscribers: int, senders: int, *, kill: bool) -> bool:
    """Send a digest in a new installation. Returns whether all is well."""
    with tempfile.TemporaryDirectory(prefix="paperboy-prefect-", ignore_cleanup_errors=True) as name:
        folder, database = Path(name), open_empty(url)
        add_subscribers(database, subscribers)
        now = datetime.now(UTC)
        with database.sessions.begin() as session:
            add_issue(session, issue_of(10, start=now.date() - timedelta(days=7)), now=now)
        with Sink() as sink:
            settings = {
                "PAPERBOY_DATABASE_URL": url,
                "PAPERBOY_SMTP_URL": f"smtp://{sink.host}:{sink.port}",
                "PAPERBOY_SETTLE_MINUTES": "0",
                "PAPERBOY_MAILS_PER_SECOND": str(MAILS_PER_SECOND),
                "PAPERBOY_DATA_DIR": str(folder),
            }
            prefect = Prefect(folder, settings)
            with prefect.server():
                wait_until("the server is up", prefect.is_up)
                state = send_digest(database, prefect, subscribers, senders, kill=kill)
                show_results(prefect)
                if not kill:
                    show_shares(prefect, subscribers)
        is_well = check_mails(database, sink, subscribers)
        database.engine.dispose()
    show(f"the state of the run: {state}")
    return is_well and state == "COMPLETED"


def main() -> None:
    """Send a digest undisturbed, and one in which a worker is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=20_000)
    parser.add_argument("--senders", type=int, default=4)
    arguments = parser.parse_args()
    with databases() as urls:
        results = [
            run_once(urls["PostgreSQL"], arguments.subscribers, arguments.senders, kill=kill)
            for kill in (False, True)
        ]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
