"""Measures how soon a digest ends that is cancelled in Prefect, or that gets SIGTERM or Ctrl-C.

Run it with `python -m bench.cancelled_runs`. For each way, each kind of database, and a mail server that needs a second
or a millisecond for each mail, it shows how many mails the server took afterwards, the seconds until the last of them,
the seconds until the process had ended, and the states of the deliveries.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path

from bench.databases import databases, open_empty
from bench.processes import show
from core.database import Database
from tests.support.commands import ROOT, running
from tests.support.factories import NOW, add_issue, add_subscriber, issue_of
from tests.support.outbox import states
from tests.support.servers.smtp import ScriptedServer

READERS = {1.0: 200, 0.001: 4000}  # by the seconds of each mail
DIGEST = ("digest", "weekly", "--now", NOW.isoformat())
SIGNALS = {"SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}
MAILS_BEFORE = 12
POLL_SECONDS = 0.05


class TimedServer:
    """A script of a mail server that takes its time for each mail, and notes when it has taken it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.times: list[float] = []

    def __call__(self, _message: object) -> None:
        """Take a mail."""
        time.sleep(self._seconds)
        self.times.append(time.monotonic())

    def wait_for_mails(self) -> None:
        """Wait until a run is sending."""
        while len(self.times) < MAILS_BEFORE:
            time.sleep(POLL_SECONDS)

    def since(self, start: float) -> list[float]:
        """How many seconds after `start` each later mail came."""
        return [taken - start for taken in self.times if taken > start]


def new_database(url: str, readers: int) -> Database:
    """An empty database with an issue and its readers."""
    database = open_empty(url)
    with database.sessions.begin() as session:
        add_issue(session, issue_of(2, start=date(2025, 7, 28)), now=NOW - timedelta(days=1))
        for number in range(readers):
            add_subscriber(session, f"reader{number}@example{number}.com")
    return database


def measure(
    url: str, seconds: float, interrupt: Callable[[ScriptedServer, TimedServer], tuple[float, float]]
) -> str:
    """Interrupt a digest. `interrupt` returns when it did so, and when the process had ended."""
    database = new_database(url, READERS[seconds])
    script = TimedServer(seconds)
    with ScriptedServer(on_body=script) as server:
        start, end = interrupt(server, script)
        time.sleep(1)
    late = script.since(start)
    found = ", ".join(f"{count} {state}" for state, count in states(database).items())
    database.engine.dispose()
    return f"{len(late):4} mails, the last after {max(late, default=0):5.2f} s, ended after {end - start:5.2f} s: {found}"


def by_signal(
    url: str, number: signal.Signals
) -> Callable[[ScriptedServer, TimedServer], tuple[float, float]]:
    """Interrupt the command by a signal."""

    def interrupt(server: ScriptedServer, script: TimedServer) -> tuple[float, float]:
        folder = Path(tempfile.mkdtemp(prefix="paperboy-bench-"))
        with running(folder, url, server, *DIGEST) as command:
            script.wait_for_mails()
            start = time.monotonic()
            command.signal(number)
            command.end()
            end = time.monotonic()
        shutil.rmtree(folder)
        return start, end

    return interrupt


def by_prefect(url: str) -> Callable[[ScriptedServer, TimedServer], tuple[float, float]]:
    """Cancel the run of a deployment, as the button in Prefect does."""

    def interrupt(server: ScriptedServer, script: TimedServer) -> tuple[float, float]:
        from prefect.client.orchestration import get_client  # noqa: PLC0415  the commands do not need Prefect
        from prefect.states import Cancelling  # noqa: PLC0415

        with worker(url, server) as process, get_client(sync_client=True) as client:
            deployment = client.read_deployment_by_name("digest/weekly")
            run = client.create_flow_run_from_deployment(deployment.id, parameters={"now": NOW.isoformat()})
            script.wait_for_mails()
            senders = descendants(process)
            start = time.monotonic()
            client.set_flow_run_state(run.id, Cancelling())
            while any(map(is_running, senders)):
                time.sleep(POLL_SECONDS)
            end = time.monotonic()
            while not (state := client.read_flow_run(run.id).state) or not state.is_final():
                time.sleep(POLL_SECONDS)
            show(f"    {state.name} after {time.monotonic() - start:.1f} s: {state.message}")
        return start, end

    return interrupt


def descendants(process: int) -> set[int]:
    """The processes that a process has started, and those that they have started."""
    found: set[int] = set()
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, children.read_text(encoding="ascii").split()):
                found |= {child} | descendants(child)
    return found


def is_running(process: int) -> bool:
    """Whether a process has not ended, even if its parent has not asked yet how it ended."""
    with suppress(OSError):
        return ") Z " not in Path(f"/proc/{process}/stat").read_text(encoding="ascii")
    return False


@contextmanager
def worker(url: str, server: ScriptedServer) -> Iterator[int]:
    """A worker of Prefect that mails to the server. Returns the id of its process."""
    folder = Path(tempfile.mkdtemp(prefix="paperboy-bench-"))
    settings = {
        "PAPERBOY_DATABASE_URL": url,
        "PAPERBOY_SMTP_URL": f"smtp://{server.host}:{server.port}",
        "PAPERBOY_FEED_URL": "http://127.0.0.1:1/feed",
        "PAPERBOY_ALLOWED_HOSTS": "127.0.0.1",
        "PAPERBOY_DATA_DIR": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    program = Path(sys.executable).with_name("prefect")
    process = subprocess.Popen(
        [program, "worker", "start", "--pool", "paperboy"],
        cwd=ROOT,
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


@contextmanager
def prefect() -> Iterator[None]:
    """A Prefect server with the deployments."""
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    from prefect.settings import PREFECT_API_URL  # noqa: PLC0415
    from prefect.testing.utilities import prefect_test_harness  # noqa: PLC0415

    with prefect_test_harness(server_startup_timeout=90):
        os.environ["PREFECT_API_URL"] = PREFECT_API_URL.value()
        program = Path(sys.executable).with_name("prefect")
        for command in (
            ["work-pool", "create", "paperboy", "--type", "process"],
            ["--no-prompt", "deploy", "--all"],
        ):
            subprocess.run([program, *command], cwd=ROOT, check=True, capture_output=True)
        yield


def main() -> None:
    """Print a line for each way, each kind of database and each server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ways", nargs="+", default=["Prefect", *SIGNALS], choices=["Prefect", *SIGNALS])
    ways = parser.parse_args().ways
    # A shell that runs this in the background lets it ignore Ctrl-C, and so would the programs that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with databases() as urls, prefect():
        for way in ways:
            for kind, url in urls.items():
                for seconds in READERS:
                    interrupt = by_prefect(url) if way == "Prefect" else by_signal(url, SIGNALS[way])
                    show(f"{way:8} {kind:10} {seconds:5} s a mail: {measure(url, seconds, interrupt)}")


if __name__ == "__main__":
    main()
