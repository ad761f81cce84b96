"""Stories of senders that are killed and replaced until all is sent, and the account of what arrived.

Senders and the mail server are real processes, forked from one that has everything imported: a kill
costs milliseconds. Whoever tells a story keeps no database open meanwhile.
"""

import multiprocessing
import signal
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from math import inf
from multiprocessing.connection import wait
from random import Random
from string import ascii_letters

from fuses import BATCH, FINAL_DOT, Fuse, Point, plant
from making import HOUSE, edition_of, issue_of, rendered
from sink import UNKNOWN, Sink
from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.orm import sessionmaker

from core.database import Database, open_engine
from emails import digests, planning, sending, stock, transport
from emails.edition import Edition
from emails.models import Delivery, EditionRow, Pace
from emails.pace import Speed
from emails.render import Rendered
from emails.sending import Office, drain
from emails.smtp import SmtpAddress
from emails.transport import Transport
from subscribers.audience import Group
from subscribers.models import AccountEvent, Subscriber, Suppression

CONNECTIONS = 4
PATIENCE = 60  # seconds without the end of any sender: something hangs


@dataclass(frozen=True)
class Moment:
    """To be killed by somebody else, so many seconds after the start."""

    seconds: float


End = Fuse | Moment


@dataclass
class Account:
    """What became of a story's readers.

    `repeated` counts mails that arrived twice; `uncertain` those that were marked so, and `unknown` those
    of them that a second kill has left so for good. Each fault is a sentence.
    """

    kills: int = 0
    lost: int = 0
    repeated: int = 0
    uncertain: int = 0
    unknown: int = 0
    faults: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Story:
    """So many readers, and senders at work at once; how each of them dies is told by `ends`."""

    url: str
    readers: int
    workers: int
    ends: Sequence[End]

    @property
    def lease(self) -> timedelta:
        """Short; but two that live must not take each other for dead."""
        return timedelta(seconds=0.2 if self.workers == 1 else 1)

    @property
    def speed(self) -> Speed:
        """As fast as possible, unless the story is about what happens once in a while."""
        is_slow = any(isinstance(end, Fuse) and end.point.slow for end in self.ends)
        return Speed(CONNECTIONS, per_second=int(40 / self.lease.total_seconds()) if is_slow else 0)

    def tell(self) -> Account:
        """Send, kill and replace until every end has come and all is drained."""
        account = Account()
        with opened(self.url) as database:
            _seed(database, self.readers)
        _mail()
        with Sink() as sink:
            _Crew(self, sink, account).work()
        with opened(self.url) as database:
            _take_stock(self, database, sink.stored, account)
        return account


def fuses(points: Sequence[Point], *, readers: int, workers: int, random: Random) -> list[Fuse]:
    """A fuse for each point, of a length that lets all of them burn down with so many readers."""
    mails = readers // (len(points) * workers)
    found: list[Fuse] = []
    for point in points:
        if point.needs_dead:
            found.append(Fuse(FINAL_DOT, random.randint(1, max(mails // 2, 1))))
        most = mails // point.every if point.every else 1
        if point.needs_interruption:
            most = BATCH // 2  # so that there is something to put back
        found.append(Fuse(point, random.randint(1, max(most, 1))))
    return found


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
        for table in (Delivery, EditionRow, AccountEvent, Subscriber, Suppression, Pace):
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
            insert(Pace), [{"domain": domain, "interval": 0.1, "next_at": now} for domain in slow]
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

    def __init__(self, story: Story, server: SmtpAddress, end: End | None) -> None:
        fuse = end if isinstance(end, Fuse) else None
        self._process = multiprocessing.get_context("fork").Process(
            target=_plan_and_send, args=(story, server, fuse)
        )
        self._process.start()
        self.sentinel = self._process.sentinel
        self._dies_at = time.monotonic() + end.seconds if isinstance(end, Moment) else inf

    def time_left(self) -> float:
        return self._dies_at - time.monotonic()

    def kill(self) -> None:
        self._process.kill()

    def exit_code(self) -> int | None:
        self._process.join()
        return self._process.exitcode


def _plan_and_send(story: Story, server: SmtpAddress, fuse: Fuse | None) -> None:
    planning.CHUNK = stock.BATCH = BATCH
    transport.MESSAGES_PER_CONNECTION = BATCH // 2
    sending.TICK = story.lease.total_seconds() / 10
    with opened(story.url) as database:
        if fuse:
            plant(fuse, database.engine)
        edition, _ = _mail()
        group = Group(edition.language, cursor=0, readers=story.readers)
        digests._plan_group(database.sessions, group, _mail(), HOUSE, _now())
        office = Office(database, Transport([server]), HOUSE, _now, story.speed, story.lease)
        drain(office, edition.slot, repeat_uncertain=True)


def _now() -> datetime:
    return datetime.now(UTC)


class _Crew:
    """The senders at work; whoever is killed is replaced."""

    def __init__(self, story: Story, sink: Sink, account: Account) -> None:
        self._story, self._account = story, account
        self._server = SmtpAddress(sink.host, sink.port, "none")
        self._ends = deque(story.ends)
        self._crew: list[_Sender] = []

    def work(self) -> None:
        try:
            for _ in range(self._story.workers):
                self._hire()
            while self._crew:
                self._attend()
            self._hire()  # what the last to die left behind, the others may have not waited for
            while self._crew:
                self._attend()
        finally:
            for sender in self._crew:
                sender.kill()
        if missed := len(self._story.ends) - self._account.kills:
            self._account.faults[f"{missed} kills did not happen"] += 1

    def _hire(self) -> None:
        end = self._ends.popleft() if self._ends else None
        self._crew.append(_Sender(self._story, self._server, end))

    def _attend(self) -> None:
        """Wait for the next end of a sender, or bring it about."""
        next_kill = min(sender.time_left() for sender in self._crew)
        ended = wait([sender.sentinel for sender in self._crew], max(min(next_kill, PATIENCE), 0))
        if not ended and next_kill > PATIENCE:
            raise TimeoutError(f"no sender came to an end within {PATIENCE} seconds")
        for sender in [sender for sender in self._crew if sender.sentinel in ended]:
            self._crew.remove(sender)
            self._replace(sender)
        for sender in self._crew:
            if sender.time_left() <= 0:
                sender.kill()

    def _replace(self, sender: _Sender) -> None:
        code = sender.exit_code()
        if code == -signal.SIGKILL:
            self._account.kills += 1
            self._hire()
        elif code:
            self._account.faults[f"a sender ended with {code}"] += 1


# --- the account --------------------------------------------------------------------


_Row = Row[tuple[str, str, str, int, datetime | None, str]]


def _take_stock(
    story: Story, database: Database, stored: Counter[tuple[str, str]], account: Account
) -> None:
    """Hold the ledger against what the server has stored."""
    delivery = (Delivery.message_id, Subscriber.email, Delivery.state, Delivery.repeats, Delivery.due_at, Delivery.reply)
    with database.sessions() as session:
        rows = session.execute(select(*delivery).join(Subscriber)).all()
        forgotten = session.scalar(select(func.count()).where(Subscriber.status == "forgotten"))
    account.lost = story.readers - len({row.email for row in rows})
    for row in rows:
        _judge(row, stored.pop((row.message_id, row.email), 0), account)
    if stored:
        account.faults[f"{len(stored)} mails are stored that the ledger does not know"] += 1
    if account.repeated > account.kills * CONNECTIONS:
        account.faults[f"{account.repeated} mails were repeated by {account.kills} kills"] += 1
    if len(rows) > story.readers or forgotten:
        account.faults[f"{len(rows)} deliveries, {forgotten} who should be forgotten"] += 1


def _judge(row: _Row, copies: int, account: Account) -> None:
    is_unknown = row.state == "uncertain" and row.repeats == 1 and row.due_at is None
    account.uncertain += row.repeats > 0
    account.unknown += is_unknown
    account.repeated += max(copies - 1, 0)
    if row.state == "sent" and not copies:
        account.lost += 1
    if not (is_unknown or row.state == _expected(row.email)):
        account.faults[f"a delivery is left {row.state}, {row.reply}"] += 1
    if copies > (1 + row.repeats if row.state in {"sent", "uncertain"} else 0):
        account.faults[f"a mail {row.state}, marked {row.repeats} times, is stored {copies} times"] += 1
    if row.repeats > 1:
        account.faults[f"a mail was repeated {row.repeats} times"] += 1


def _expected(email: str) -> str:
    number = int(email.partition("@")[0].lstrip(ascii_letters))
    return {7: "failed", 13: "skipped"}.get(number % 50, "sent")
