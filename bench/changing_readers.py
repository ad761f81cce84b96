"""Changes subscribers all the time while digests are planned and sent, and looks for papers that were lost or repeated.

Run it with `python -m bench.changing_readers`; it takes some minutes for each kind of database. Readers pause, resume, switch,
leave, come back, are suppressed, move and join, twenty times a second, while thirty weeks are published and mailed: on
PostgreSQL by two senders at once, on SQLite by one. Each slot runs twice, so that the second run meets those whom the
first one skipped. Mails have only titles, because rendering would take most of the time.

At the end a judge counts in plain SQL, over what the outbox holds and the mail server stored. The exit code is 1 if a
reader's cursor has passed a paper that they never got, if a paper came twice, or if a reader stays behind.
"""

import argparse
import logging
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import psycopg
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from bench.databases import databases, open_empty, open_existing
from bench.processes import NEW_PROCESS, show
from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from delivery.context import SendingContext, SendingLimits
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp.server import SmtpServer
from emails.content import Content
from emails.edition import Edition
from emails.rendering.fit import FittedBlocks
from emails.rendering.render import Rendered
from mailings import account_mails, next_mail
from mailings.context import MailingRules, clock_from
from mailings.digest_run import run_digest
from mailings.upkeep import run_upkeep
from subscribers import accounts
from subscribers.addresses import AccountError
from subscribers.models import Subscriber, Suppression
from subscribers.status import SubscriberStatus
from subscribers.suppression import suppress
from tests.support.factories import IDENTITY, add_issue, issue_of, paper
from tests.support.servers.smtp_sink import UNKNOWN, Sink

SENDERS = {"SQLite": 1, "PostgreSQL": 2}
FIRST_MONDAY = date(2025, 1, 6)
RULES = MailingRules(quiet_period=timedelta(minutes=30), daily_papers=2, repeat_uncertain=True)
RENDERING_SECONDS = (
    0.05  # between the choice of an edition and its planning, so that readers change there too
)
MAILS_PER_SECOND = 100  # of all senders, so slow that readers change while mails are sent
MAX_CALM_WEEKS = 20  # after the last issue, until everybody has everything

# --- the judge, in plain SQL --------------------------------------------------------

# A paper came to somebody if a delivery that was not skipped brings it. Copies are apart.
_BROUGHT = """
WITH brought AS (
    SELECT d.subscriber_id, d.id, CAST(j.value AS INTEGER) AS number
    FROM deliveries d JOIN editions e ON e.id = d.edition_id CROSS JOIN {papers_of_edition}
    WHERE d.kind = 'digest' AND d.state <> 'skipped'
)
"""
_GAPS = """
SELECT s.id, p.number FROM subscribers s JOIN papers p ON p.arrival_order <= s.cursor
WHERE NOT EXISTS (SELECT 1 FROM brought b WHERE b.subscriber_id = s.id AND b.number = p.number)
    AND NOT EXISTS (
        SELECT 1 FROM soak_starts f
        WHERE f.subscriber_id = s.id AND p.arrival_order > f.before AND p.arrival_order <= f.start
    )
ORDER BY s.id, p.number
"""
_REPEATS = "SELECT subscriber_id, number FROM brought GROUP BY subscriber_id, number HAVING count(*) > 1"
_BEHIND = """
SELECT id FROM subscribers WHERE status = 'active' AND cursor <> (SELECT max(arrival_order) FROM papers)
"""
_STATES = "SELECT state, count(*) FROM deliveries WHERE kind = 'digest' GROUP BY state ORDER BY state"
_MAILS = "SELECT message_id, state, repeats FROM deliveries"
_PAPERS_OF_EDITION = {
    "SQLite": "json_each(e.papers) j",
    "PostgreSQL": "json_array_elements_text(e.papers) AS j(value)",
}


@dataclass
class Verdict:
    """What the judge found. `behind` are active readers who lack the last papers; `unlike` mails contradict the outbox."""

    gaps: list[Any]
    repeats: list[Any]
    behind: list[Any]
    states: dict[str, int]
    unlike: int

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, repeated or left behind."""
        return not (self.gaps or self.repeats or self.behind or self.unlike)


def judge(kind: str, url: str, sink: Sink) -> Verdict:
    """Compare the tables with each other, and with what the mail server stored."""
    brought = _BROUGHT.format(papers_of_edition=_PAPERS_OF_EDITION[kind])
    with closing(_connect(kind, url)) as connection:

        def rows(statement: str) -> list[Any]:
            return list(connection.execute(statement).fetchall())

        arrived = Counter[str]()
        for (message_id, _), copies in sink.stored.items():
            arrived[message_id] += copies
        unlike = sum(
            copies > 1 + repeats or (copies == 0 and state == "sent") or (copies > 0 and state == "skipped")
            for message_id, state, repeats in rows(_MAILS)
            for copies in [arrived[message_id]]
        )
        return Verdict(
            rows(brought + _GAPS), rows(brought + _REPEATS), rows(_BEHIND), dict(rows(_STATES)), unlike
        )


def _connect(kind: str, url: str) -> Any:
    if kind == "SQLite":
        return sqlite3.connect(url.removeprefix("sqlite:///"))
    return psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://", 1))


# --- the senders --------------------------------------------------------------------


def _use_titles_only() -> None:
    vars(next_mail)["render"] = _render_titles
    logging.disable(logging.WARNING)  # on SQLite, changes wait for each other


def _render_titles(edition: Edition, **_: object) -> Rendered:
    time.sleep(RENDERING_SECONDS)
    titles = "\n".join(paper.title for paper in edition.papers)
    return Rendered(Content(edition.spec.slot, titles, titles, "0" * 20), FittedBlocks((), ()), fill=0.0)


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


# --- the readers --------------------------------------------------------------------


@dataclass
class Readers:
    """Everybody who reads, and the changes that they make. `now` is about when, in the time of the soak."""

    database: Database
    random: Random
    now: datetime
    emails: list[str] = field(default_factory=list)
    changes: Counter[str] = field(default_factory=Counter)

    def change_until(self, is_over: threading.Event, per_second: int) -> None:
        """Make changes at an even rate until the event is set."""
        next_at = time.monotonic()
        while not is_over.wait(max(next_at - time.monotonic(), 0)):
            next_at += 1 / per_second
            self.change()

    def change(self) -> None:
        """One reader makes one change. One that is not possible for them is counted as refused."""
        what = self.random.choice(list(_CHANGES))
        try:
            if what == "join":
                self.join()
                return
            with self.database.sessions.begin() as session:
                reader = accounts.find(session, self.random.choice(self.emails))
                if reader is None:
                    return
                before = reader.cursor
                _CHANGES[what](self, session, reader)
                session.flush()
                self._note_start(session, reader, before)
            self.changes[what] += 1
        except AccountError:
            self.changes["refused"] += 1

    def join(self) -> None:
        """Somebody new joins."""
        number = len(self.emails)
        name = UNKNOWN if number % 30 == 0 else "reader"
        email = f"{name}{number}@example{number % 20}.com"
        with self.database.sessions.begin() as session:
            reader = self._begin(session, email)
            self._note_start(session, reader, 0)
        self.emails.append(email)
        self.changes["join"] += 1

    def _begin(self, session: Session, email: str) -> Subscriber:
        language, frequency = self.random.choice(list(Language)), self.random.choice(list(Frequency))
        reader = accounts.sign_up(session, email, language=language, frequency=frequency, now=self.now)
        if reader.status != SubscriberStatus.ACTIVE:
            account_mails.confirm(session, reader, IDENTITY, RULES, self.now, origin="the soak")
        return reader

    def _note_start(self, session: Session, reader: Subscriber, before: int) -> None:
        """Note how far a subscription that begins leaves papers out. A welcome that came with it leaves none out."""
        begins = reader.cursor  # as the account's function set it; planning moves only the row
        if begins > before:
            row = {"reader": reader.id, "before": before, "start": begins}
            session.execute(text("INSERT INTO soak_starts VALUES (:reader, :before, :start)"), row)

    # --- the changes ----------------------------------------------------------------

    def pause(self, _: Session, reader: Subscriber) -> None:
        """Pause."""
        accounts.pause(reader, self.now)

    def resume(self, _: Session, reader: Subscriber) -> None:
        """Resume."""
        accounts.resume(reader, self.now)

    def switch(self, session: Session, reader: Subscriber) -> None:
        """Switch the language, the frequency, or both."""
        language = self.random.choice([None, *Language])
        frequency = self.random.choice([None, *Frequency])
        accounts.change(session, reader, self.now, language=language, frequency=frequency)

    def leave(self, session: Session, reader: Subscriber) -> None:
        """Leave, with a farewell."""
        account_mails.unsubscribe(session, reader, IDENTITY, self.now, origin="the soak")

    def undo(self, session: Session, reader: Subscriber) -> None:
        """Take the leave back."""
        accounts.undo_unsubscribe(session, reader, self.now)

    def sign_up_again(self, session: Session, reader: Subscriber) -> None:
        """Come back through the form."""
        self._begin(session, reader.email)

    def suppress(self, session: Session, reader: Subscriber) -> None:
        """Become suppressed, as after a bounce."""
        suppress(session, reader.email, "the soak", self.now)

    def unsuppress(self, session: Session, reader: Subscriber) -> None:
        """Have the suppression lifted, and come back."""
        session.execute(delete(Suppression).where(Suppression.email == reader.email.lower()))
        self._begin(session, reader.email)

    def move(self, session: Session, reader: Subscriber) -> None:
        """Move to another address."""
        old, new = reader.email, f"moved{self.random.randrange(10**9)}@example{reader.id % 20}.com"
        accounts.request_address_change(session, reader, new, self.now)
        accounts.change_address(session, reader, self.now)
        session.flush()
        self.emails[self.emails.index(old)] = new


_CHANGES: dict[str, Callable[[Readers, Session, Subscriber], None]] = {
    "pause": Readers.pause,
    "resume": Readers.resume,
    "switch": Readers.switch,
    "leave": Readers.leave,
    "undo": Readers.undo,
    "sign up again": Readers.sign_up_again,
    "suppress": Readers.suppress,
    "unsuppress": Readers.unsuppress,
    "move": Readers.move,
    "join": lambda readers, _session, _reader: readers.join(),
}


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
