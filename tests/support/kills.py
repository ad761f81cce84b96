"""Stories of senders that are killed and replaced until all is sent, and the account of what arrived.

Senders and the mail server are real processes, forked from one that has everything imported: a kill
costs milliseconds. Whoever tells a story keeps no database open meanwhile.
"""

import multiprocessing
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from math import inf
from multiprocessing.connection import wait
from random import Random
from string import ascii_letters
from typing import Self

from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.orm import sessionmaker

from core.database import Database, open_engine
from delivery import claim_buffer, planner, sender
from delivery.models import Delivery, EditionRow, DomainPause
from delivery.rate_limit import SendingLimits
from delivery.sender import SendingContext, send_due
from delivery.transport import pool
from delivery.transport.pool import Transport
from delivery.transport.smtp.connection import SmtpAddress
from emails.edition import Edition
from emails.rendering.render import Rendered
from mailings import digest_run
from subscribers.audience import Group
from subscribers.models import AccountEvent, Subscriber, Suppression
from tests.support.crash_points import MAX_BATCH, CONNECTIONS, FINAL_DOT, RANDOM, Fuse, Point, plant
from tests.support.factories import IDENTITY, edition_of, issue_of, rendered
from tests.support.servers.smtp_sink import UNKNOWN, Sink

PATIENCE = 60  # seconds without the end of any sender: something hangs
INTERRUPTED = 2  # the exit code of a sender that was, and had nothing to put back where it was to die
MOST_STORIES = 20  # until each point has had its kill
LATEST = 1000  # milliseconds after its start a sender is killed at a random moment


@dataclass
class StateCounts:
    """What became of the readers of one story, or of several.

    `repeated` counts mails that arrived twice; `uncertain` those that were marked so, and `unknown` those
    of them that a second kill has left so for good. Each fault is a sentence.
    """

    kills: Counter[Point] = field(default_factory=Counter)
    lost: int = 0
    repeated: int = 0
    uncertain: int = 0
    unknown: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Self) -> "StateCounts":
        return StateCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def kill_at(url: str, points: Sequence[Point], *, readers: int, workers: int, seed: int) -> StateCounts:
    """Tell stories of so many readers and of senders at work at once until each point has had its kill."""
    random = Random(seed)  # noqa: S311  no secret
    reconcile_counts, missing = StateCounts(), Counter(points)
    mails = readers // (len(points) * workers)  # between two kills, about
    for _ in range(MOST_STORIES):
        reconcile_counts += Story(
            url, readers, workers, _fuses(list(missing.elements()), mails, random)
        ).tell()
        missing = Counter(points) - reconcile_counts.kills
        if not missing:
            return reconcile_counts
    reconcile_counts.faults["nobody came to: " + ", ".join(point.name for point in missing)] += 1
    return reconcile_counts


def _fuses(points: list[Point], mails: int, random: Random) -> list[Fuse]:
    """A fuse for each point, of a length that lets all of them burn down."""
    random.shuffle(points)
    found: list[Fuse] = []
    # The mails of the dead are the last that are due.
    for point in sorted(points, key=lambda point: point.needs_dead):
        most = mails // point.all_issues if point.all_issues else 1
        if point.needs_dead:
            found.append(Fuse(FINAL_DOT, random.randint(1, 2)))
        elif point.needs_interruption:
            most = MAX_BATCH // 2  # so that there is something to put back
        elif point == RANDOM:
            most = LATEST
        found.append(Fuse(point, random.randint(1, max(most, 1))))
    return found


@dataclass(frozen=True)
class Story:
    """So many readers, and senders at work at once; each dies by the next of the fuses."""

    url: str
    readers: int
    workers: int
    fuses: Sequence[Fuse]

    @property
    def lease(self) -> timedelta:
        """Short; but two that live must not take each other for dead."""
        return timedelta(seconds=0.2 if self.workers == 1 else 2)

    def limits(self, fuse: Fuse | None) -> SendingLimits:
        """As fast as possible, unless those who are to die wait for what happens once in a while."""
        is_slow = fuse and any(fuse.point.slow for fuse in self.fuses)
        return SendingLimits(CONNECTIONS, per_second=int(40 / self.lease.total_seconds()) if is_slow else 0)

    def tell(self) -> StateCounts:
        """Send, kill and replace until all is drained."""
        reconcile_counts = StateCounts()
        _mail()  # made before anyone is forked
        with opened(self.url) as database:
            _seed(database, self.readers)
        with Sink() as sink:
            _Crew(self, sink, reconcile_counts).work()
        with opened(self.url) as database:
            _take_stock(self, database, sink.stored, reconcile_counts)
        return reconcile_counts


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """The database, open for a while; its tables are there."""
    engine = open_engine(url)
    try:
        yield Database(engine, sessionmaker(engine, expire_on_commit=False))
    finally:
        engine.dispose()


# --- the readers --------------------------------------------------------------------


def _seed(database: Database, count: int) -> None:
    """New readers in place of all that was; some are unknown to the server, some suppressed, some live
    where mails have to go slowly. And one who is forgotten."""
    now = datetime.now(UTC)
    numbers = range(count)
    with database.sessions.begin() as session:
        for table in (Delivery, EditionRow, AccountEvent, Subscriber, Suppression, DomainPause):
            session.execute(delete(table))
        readers = [_reader(number, "active", now) for number in numbers]
        session.execute(insert(Subscriber), [*readers, _reader(count, "forgotten", now)])
        suppressed = [_address(number) for number in numbers if number % 50 == 13]
        session.execute(
            insert(Suppression),
            [{"email": email, "reason": "complained", "created_at": now} for email in suppressed],
        )
        slow = [_address(number).partition("@")[2] for number in numbers if number % 10 == 0]
        session.execute(
            insert(DomainPause), [{"domain": domain, "interval": 0.1, "next_at": now} for domain in slow]
        )


def _address(number: int) -> str:
    return f"{UNKNOWN if number % 50 == 7 else 'reader'}{number}@example{number}.com"


def _reader(number: int, status: str, now: datetime) -> dict[str, object]:
    return {
        "email": _address(number),
        "language": "ko",
        "frequency": "weekly",
        "status": status,
        "handle": f"{number:016x}",
        "created_at": now,
        "confirmed_at": now,
    }


@cache
def _mail() -> tuple[Edition, Rendered]:
    edition = edition_of(issue_of(2))
    return edition, rendered(edition)


# --- the senders --------------------------------------------------------------------


class _Sender:
    """A process that plans and sends until nothing is left, or it dies."""

    def __init__(self, story: Story, server: SmtpAddress, fuse: Fuse | None) -> None:
        self.point = fuse.point if fuse else None
        self._dies_at = time.monotonic() + fuse.nth / 1000 if fuse and fuse.point == RANDOM else inf
        self._process = multiprocessing.get_context("fork").Process(
            target=_plan_and_send, args=(story, server, fuse)
        )
        self._process.start()
        self.sentinel = self._process.sentinel

    def time_left(self) -> float:
        return max(self._dies_at - time.monotonic(), 0)

    def kill(self) -> None:
        self._process.kill()

    def exit_code(self) -> int | None:
        self._process.join()
        return self._process.exitcode


def _plan_and_send(story: Story, server: SmtpAddress, fuse: Fuse | None) -> None:
    planner.MAX_SUBSCRIBERS_PER_TRANSACTION = claim_buffer.MAX_BATCH = MAX_BATCH
    pool.MAX_MESSAGES_PER_CONNECTION = MAX_BATCH // 2
    sender.WATCH_INTERVAL_SECONDS = story.lease.total_seconds() / 10
    with opened(story.url) as database:
        if fuse and fuse.point != RANDOM:
            plant(fuse, database.engine)
        edition, _ = _mail()
        group = Group(edition.language, cursor=0, readers=story.readers)
        digest_run._plan_group(database.sessions, group, _mail(), IDENTITY, _now())
        context = SendingContext(
            database, Transport([server]), IDENTITY, _now, story.limits(fuse), story.lease
        )
        try:
            send_due(context, edition.slot, repeat_uncertain=True)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


def _now() -> datetime:
    return datetime.now(UTC)


class _Crew:
    """The senders at work; whoever is killed is replaced."""

    def __init__(self, story: Story, sink: Sink, reconcile_counts: StateCounts) -> None:
        self._story, self._account = story, reconcile_counts
        self._server = SmtpAddress(sink.host, sink.port, "none")
        self._fuses = deque(story.fuses)
        self._crew: list[_Sender] = []

    def work(self) -> None:
        try:
            for _ in range(self._story.workers):
                self._hire()
            while self._crew:
                self._attend()
        finally:
            for sender in self._crew:
                sender.kill()

    def _hire(self) -> None:
        fuse = self._fuses.popleft() if self._fuses else None
        self._crew.append(_Sender(self._story, self._server, fuse))

    def _attend(self) -> None:
        """Wait for the next end of a sender, or bring it about."""
        next_kill = min(sender.time_left() for sender in self._crew)
        ended = wait([sender.sentinel for sender in self._crew], min(next_kill, PATIENCE))
        if not ended and next_kill > PATIENCE:
            raise TimeoutError(f"no sender came to an end within {PATIENCE} seconds")
        for sender in [sender for sender in self._crew if sender.sentinel in ended]:
            self._crew.remove(sender)
            self._replace(sender)
        for sender in self._crew:
            if not sender.time_left():
                sender.kill()

    def _replace(self, sender: _Sender) -> None:
        code = sender.exit_code()
        if code == -signal.SIGKILL and sender.point:
            self._account.kills[sender.point] += 1
        elif code not in {0, INTERRUPTED}:
            self._account.faults[f"a sender ended with {code}"] += 1
            return
        if code:
            self._hire()


# --- the account --------------------------------------------------------------------


_Row = tuple[str, str, str, int, datetime | None, str]


def _take_stock(
    story: Story, database: Database, stored: Counter[tuple[str, str]], reconcile_counts: StateCounts
) -> None:
    """Hold the ledger against what the server has stored."""
    delivery = (
        Delivery.message_id,
        Subscriber.email,
        Delivery.state,
        Delivery.repeats,
        Delivery.due_at,
        Delivery.reply,
    )
    with database.sessions() as session:
        rows = session.execute(select(*delivery).join(Subscriber)).all()
        forgotten = session.scalar(select(func.count()).where(Subscriber.status == "forgotten"))
    reconcile_counts.lost = story.readers - len({row.email for row in rows})
    for row in rows:
        _judge(row, stored.pop((row.message_id, row.email), 0), reconcile_counts)
    if stored:
        reconcile_counts.faults[f"{len(stored)} mails are stored that the ledger does not know"] += 1
    if reconcile_counts.repeated > reconcile_counts.kills.total() * CONNECTIONS:
        reconcile_counts.faults[
            f"{reconcile_counts.repeated} mails were repeated by {reconcile_counts.kills.total()} kills"
        ] += 1
    if len(rows) > story.readers or forgotten:
        reconcile_counts.faults[f"{len(rows)} deliveries, {forgotten} who should be forgotten"] += 1


def _judge(row: Row[_Row], copies: int, reconcile_counts: StateCounts) -> None:
    is_unknown = row.state == "uncertain" and row.repeats == 1 and row.due_at is None
    reconcile_counts.uncertain += row.repeats > 0
    reconcile_counts.unknown += is_unknown
    reconcile_counts.repeated += max(copies - 1, 0)
    if row.state == "sent" and not copies:
        reconcile_counts.lost += 1
    if not (is_unknown or row.state == _expected(row.email)):
        reconcile_counts.faults[f"a delivery is left {row.state}, {row.reply}"] += 1
    if copies > (1 + row.repeats if row.state in {"sent", "uncertain"} else 0):
        reconcile_counts.faults[
            f"a mail {row.state}, marked {row.repeats} times, is stored {copies} times"
        ] += 1
    if row.repeats > 1:
        reconcile_counts.faults[f"a mail was repeated {row.repeats} times"] += 1


def _expected(email: str) -> str:
    number = int(email.partition("@")[0].lstrip(ascii_letters))
    return {7: "failed", 13: "skipped"}.get(number % 50, "sent")
