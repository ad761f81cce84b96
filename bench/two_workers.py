"""A digest by a real Prefect server and two workers, one killed half-way; run it with `PYTHONPATH=.:tests:bench`.

Everything runs as in the operator's guide: a server, a work pool, `prefect deploy --all`, two workers, one
PostgreSQL database. The worker that helps is killed with all it started. In the end everyone must have their mail
once, and the digest's accounts must balance. It takes some four minutes.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import func, select

from bench.stage import add_readers, databases, emptied, free_port
from core.database import Database
from delivery.models import Delivery
from tests.support.factories import add_issue, issue_of
from tests.support.servers.smtp_sink import Sink

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 300.0  # seconds for any step
PER_SECOND = 300  # mails of each sender, so that there is a middle to be killed in


class Failure(SystemExit):
    """What was to be shown did not come about."""


class Prefect:
    """A server of its own, called by the commands that an operator uses."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/api"
        self._environment = {
            **os.environ,
            **settings,
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": self.url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        self._log = (folder / "prefect.log").open("wb")

    def do(self, *words: str) -> None:
        """A command that ends."""
        subprocess.run(["prefect", *words], env=self._environment, cwd=ROOT, stdout=self._log, check=True)

    @contextlib.contextmanager
    def running(self, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
        """A command that goes on, with all that it starts, as long as this lasts."""
        process = subprocess.Popen(
            ["prefect", *words],
            env=self._environment,
            cwd=ROOT,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            kill(process)

    def ask(self, path: str, **filters: object) -> list[dict[str, object]]:
        """Rows by the server's filter interface."""
        return list(httpx.post(f"{self.url}/{path}/filter", json=filters, timeout=30).json())

    def serve(self) -> contextlib.AbstractContextManager["subprocess.Popen[bytes]"]:
        """The server."""
        return self.running("server", "start", "--port", str(self._port))

    def is_up(self) -> bool:
        """Whether the server answers."""
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/health", timeout=5).is_success
        return False

    def states(self, flow: str) -> list[str]:
        """The states of the flow's runs, but for those that the schedule has in mind."""
        runs = self.ask("flow_runs", flows={"name": {"any_": [flow]}})
        return [str(run["state_type"]) for run in runs if run["state_type"] != "SCHEDULED"]


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill -9 a command with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(what: str, is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > ends:
            raise Failure(f"not within {PATIENCE:.0f} seconds: {what}")
        time.sleep(0.2)
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def count(database: Database, state: str) -> int:
    """How many deliveries are in the state."""
    with database.sessions() as session:
        return session.scalar(select(func.count()).where(Delivery.state == state)) or 0


def tell(database: Database, prefect: Prefect, readers: int) -> None:
    """Kill the helping worker half-way, and see the other one through."""
    prefect.do("work-pool", "create", "paperboy", "--type", "process")
    prefect.do("--no-prompt", "deploy", "--all")
    worker = ("worker", "start", "--pool", "paperboy", "--limit", "1", "--name")
    with prefect.running(*worker, "first"):
        prefect.do("deployment", "run", "digest/weekly", "-p", "senders=2")
        wait_for("the digest runs", lambda: prefect.states("digest") == ["RUNNING"])
        with prefect.running(*worker, "second") as second:
            wait_for("another sender helps", lambda: prefect.states("drain") == ["RUNNING"])
            begin = count(database, "sent")
            wait_for("mails go out", lambda: count(database, "sent") > begin + readers // 5)
            wait_for("mails are on their way", lambda: count(database, "sending") > 0)
            kill(second)
        sent = count(database, "sent")
        sys.stdout.write(f"the second worker is killed with {sent} of {readers} mails sent\n")
        wait_for("the digest has ended", lambda: prefect.states("digest") != ["RUNNING"])
    sys.stdout.write(f"the run: {prefect.states('digest')[0]}\n")


def show_account(prefect: Prefect) -> None:
    """What the run left in Prefect."""
    for artifact in prefect.ask("artifacts"):
        if artifact["key"] in {"digest-weekly", "digest-weekly-progress"}:
            sys.stdout.write(f"artifact {artifact['key']}: {artifact['description']} {artifact['data']}\n")


def judge(database: Database, sink: Sink, readers: int) -> None:
    """Compare what the mail server stored with the ledger."""
    with database.sessions() as session:
        rows = session.execute(select(Delivery.message_id, Delivery.state, Delivery.repeats)).all()
    by_id = {message_id: taken for (message_id, _), taken in sink.stored.items()}
    missing = [id_ for id_, *_ in rows if id_ not in by_id]
    twice = [id_ for id_, taken in by_id.items() if taken > 1]
    unmarked = [id_ for id_, _, repeats in rows if by_id.get(id_, 0) > 1 + repeats]
    sys.stdout.write(
        f"{len(rows)} deliveries, {sum(state == 'sent' for _, state, _ in rows)} sent, {len(by_id)} mails arrived, "
        f"{len(missing)} missing, {len(twice)} twice, {len(unmarked)} of these not marked as uncertain\n"
    )
    if missing or unmarked or len(rows) != readers:
        raise Failure("that is not as it should be")


def main() -> None:
    """Set the scene, tell the story, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=20_000)
    readers = parser.parse_args().readers
    folder = Path(tempfile.mkdtemp(prefix="paperboy-prefect-"))
    with databases() as urls:
        database = emptied(urls["postgresql"])
        add_readers(database, readers)
        now = datetime.now(UTC)
        with database.sessions.begin() as session:
            add_issue(session, issue_of(10, start=now.date() - timedelta(days=7)), now=now)
        with Sink() as sink:
            prefect = Prefect(
                folder,
                {
                    "PAPERBOY_DATABASE_URL": urls["postgresql"],
                    "PAPERBOY_SMTP_URL": f"smtp://{sink.host}:{sink.port}",
                    "PAPERBOY_SETTLE_MINUTES": "0",
                    "PAPERBOY_MAILS_PER_SECOND": str(PER_SECOND),
                    "PAPERBOY_DATA_DIR": str(folder),
                },
            )
            with prefect.serve():
                wait_for("the server is up", prefect.is_up)
                tell(database, prefect, readers)
                show_account(prefect)
        judge(database, sink, readers)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
