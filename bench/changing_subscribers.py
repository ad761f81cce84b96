"""Changes subscribers all the time while digests are planned and sent, and looks for papers that were lost or repeated.

Run it with `python -m bench.changing_subscribers`; it takes some minutes for each kind of database. Readers pause, resume, switch,
leave, come back, are suppressed, move and join, twenty times a second, while thirty weeks are published and mailed: on
PostgreSQL by two senders at once, on SQLite by one. Each slot runs twice, so that the second run meets those whom the
first one skipped. Mails have only titles, because rendering would take most of the time.

At the end a judge counts in plain SQL, over what the outbox holds and the mail server stored. The exit code is 1 if a
reader's cursor has passed a paper that they never got, if a paper came twice, or if a reader stays behind.
"""

import argparse
import logging
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

from sqlalchemy import select, text

from bench.databases import databases, open_empty, open_existing
from bench.lost_papers import Verdict, judge
from bench.processes import NEW_PROCESS, show
from bench.random_changes import RULES, Readers
from core.database import Database
from core.frequencies import Frequency
from delivery.context import SendingContext, SendingLimits
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp.server import SmtpServer
from emails.edition import Edition
from emails.rendering.render import Rendered
from mailings import next_mail
from mailings.context import clock_from
from mailings.digest_run import run_digest
from mailings.upkeep import run_upkeep
from subscribers import accounts
from subscribers.models import Subscriber
from tests.support.factories import IDENTITY, add_issue, issue_of, paper
from tests.support.servers.smtp_sink import Sink
from tests.support.simulation.newsletter import render_titles

SENDERS = {"SQLite": 1, "PostgreSQL": 2}
FIRST_MONDAY = date(2025, 1, 6)
RENDERING_SECONDS = (
    0.05  # between the choice of an edition and its planning, so that readers change there too
)
MAILS_PER_SECOND = 100  # of all senders, so slow that readers change while mails are sent
MAX_CALM_WEEKS = 20  # after the last issue, until everybody has everything

# --- the senders --------------------------------------------------------------------


def _use_titles_only() -> None:
    vars(next_mail)["render"] = _render_slowly
    logging.disable(logging.WARNING)  # on SQLite, changes wait for each other


def _render_slowly(edition: Edition, *_arguments: object, **_options: object) -> Rendered:
    time.sleep(RENDERING_SECONDS)
    return render_titles(edition)


def _send_slots(url: str, port: int, now: datetime, frequencies: list[Frequency], per_second: int) -> int:
    """Run each frequency's slot twice, and then the upkeep. Returns how many mails were sent."""
    database = open_existing(url)
    transport = SmtpPool([SmtpServer("127.0.0.1", port, "none")])
    limits = SendingLimits(connections=4, per_second=per_second)
    context = SendingContext(database, transport, IDENTITY, clock_from(now), limits)
    sent = 0
    for frequency in [*frequencies, *frequencies]:
        report = run_digest(context, frequency, local_now=now, rules=RULES)
        if report.stopped:
            raise RuntimeError(report.stopped)
        sent += report.sent
    sent += run_upkeep(context, local_now=now + timedelta(hours=1), rules=RULES).retries.sent
    database.engine.dispose()
    return sent


# --- the soak -----------------------------------------------------------------------


@dataclass
class Soak:
    """One soak on one kind of database."""

    kind: str
    url: str
    arguments: argparse.Namespace
    sent: int = 0

    def run(self) -> bool:
        """Publish and mail week after week while readers change, and then judge. Returns whether all is well."""
        database = open_empty(self.url)
        with database.sessions.begin() as session:
            session.execute(
                text("CREATE TABLE soak_starts (subscriber_id INTEGER, before INTEGER, start INTEGER)")
            )
        readers = Readers(database, Random(self.arguments.seed), _monday(0))  # noqa: S311  no secret
        start = time.monotonic()
        with (
            Sink() as sink,
            ProcessPoolExecutor(SENDERS[self.kind], NEW_PROCESS, initializer=_use_titles_only) as senders,
        ):
            for _ in range(self.arguments.readers):
                readers.join()
            with _changing(readers, self.arguments.rate):
                for week in range(self.arguments.digests):
                    self._publish(database, readers, week)
                    self._send(senders, sink, readers.now)
            self._calm_down(database, senders, sink, readers)
        database.engine.dispose()
        self._show(readers, verdict := judge(self.kind, self.url, sink), time.monotonic() - start)
        return verdict.is_good

    def _publish(self, database: Database, readers: Readers, week: int) -> None:
        readers.now = _monday(week)
        start = readers.now.date() - timedelta(days=7)
        papers = [paper(week * 100 + number) for number in range(readers.random.randint(2, 6))]
        with database.sessions.begin() as session:
            published_at = readers.now - timedelta(hours=1)
            add_issue(session, issue_of(papers, start=start), topic_id=9000 + week, now=published_at)

    def _send(self, senders: ProcessPoolExecutor, sink: Sink, now: datetime) -> int:
        """Send the slots of both frequencies, by all senders at once. Returns how many mails were sent."""
        count = SENDERS[self.kind]
        orders = [[Frequency.WEEKLY, Frequency.DAILY], [Frequency.DAILY, Frequency.WEEKLY]]
        running = [
            senders.submit(_send_slots, self.url, sink.port, now, order, MAILS_PER_SECOND // count)
            for order in orders[:count]
        ]
        sent = sum(sender.result() for sender in running)
        self.sent += sent
        return sent

    def _calm_down(
        self, database: Database, senders: ProcessPoolExecutor, sink: Sink, readers: Readers
    ) -> None:
        """Everybody who pauses resumes, and weeks without changes pass until there is nothing left to send."""
        with database.sessions.begin() as session:
            for reader in session.scalars(select(Subscriber).where(Subscriber.status == "paused")):
                accounts.resume(reader, readers.now)
        for _ in range(MAX_CALM_WEEKS):
            readers.now += timedelta(days=7)
            if not self._send(senders, sink, readers.now):
                return

    def _show(self, readers: Readers, verdict: Verdict, seconds: float) -> None:
        changes = ", ".join(f"{count} {what}" for what, count in sorted(readers.changes.items()))
        states = ", ".join(f"{count} {state}" for state, count in verdict.states.items())
        show(f"{self.kind}: {SENDERS[self.kind]} senders, {seconds:.0f} s, {len(readers.emails)} readers")
        show(f"  changes: {readers.changes.total() - readers.changes['refused']} ({changes})")
        show(f"  mails sent: {self.sent}; digests in the outbox: {states}")
        show(
            f"  gaps {len(verdict.gaps)}, repeats {len(verdict.repeats)}, "
            f"behind {len(verdict.behind)}, mails unlike the outbox {verdict.unlike}"
        )
        for name in ("gaps", "repeats", "behind"):
            for row in getattr(verdict, name)[:10]:
                show(f"  {name}: {row}")


@contextmanager
def _changing(readers: Readers, per_second: int) -> Iterator[None]:
    """Readers change as long as the context lasts."""
    is_over = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        changes = thread.submit(readers.change_until, is_over, per_second)
        try:
            yield
        finally:
            is_over.set()
    changes.result()


def _monday(week: int) -> datetime:
    return datetime.combine(FIRST_MONDAY + timedelta(weeks=week), datetime.min.time(), UTC).replace(hour=8)


def main() -> None:
    """Soak each kind of database, and say what was lost or repeated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=300, help="at the start; more join")
    parser.add_argument("--digests", type=int, default=30, help="weeks, each with a published issue")
    parser.add_argument("--rate", type=int, default=20, help="changes a second")
    parser.add_argument("--database", choices=SENDERS, action="append", help="only this one")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with databases() as urls:
        soaks = [Soak(kind, url, arguments) for kind, url in urls.items()]
        wanted = [soak for soak in soaks if soak.kind in (arguments.database or SENDERS)]
        results = [soak.run() for soak in wanted]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
