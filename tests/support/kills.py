"""Kills senders and replaces them until all mails are sent, and compares the outbox with what the server stored.

Senders and the mail server are real processes. They are forked from one that has imported everything, so a kill
costs milliseconds. The caller must have no database open meanwhile.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from math import inf
from multiprocessing.connection import wait
from random import Random

from sqlalchemy import column, func, select, table, text
from sqlalchemy.orm import sessionmaker

from core.database import Database, open_engine, retry_while_away, transact
from delivery import claim_buffer, planner, sender
from delivery.context import SendingContext, SendingLimits
from delivery.sender import send_due
from delivery.transport import pool
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp.server import SmtpServer
from issues.models import Issue
from mailings import digest_plan
from mailings.next_mail import NextMail
from subscribers.audience import AudienceGroup
from tests.support.crash_points import (
    BY_PARENT,
    CONNECTIONS,
    DATABASE_KILLED,
    FINAL_DOT,
    MAX_BATCH,
    RANDOM,
    STOPPED,
    TERMINATION,
    Crash,
    CrashPoint,
    inject,
)
from tests.support.factories import IDENTITY, add_issue, edition_of, issue_of, rendered
from tests.support.kill_report import KillReport, compare
from tests.support.kill_subscribers import seed
from tests.support.servers.smtp_sink import Sink

TIMEOUT_SECONDS = 60  # if no sender ends for this long, something hangs
INTERRUPTED = (
    2  # the exit code of an interrupted sender that did not pass the point at which it should have died
)
MAX_SCENARIOS = 20  # until there was a kill at each point
MAX_RANDOM_MILLISECONDS = 1000  # after its start, a sender is killed at a random moment


def kill_at(
    url: str, points: Sequence[CrashPoint], *, subscribers: int, senders: int, seed: int
) -> KillReport:
    """Run scenarios with this many subscribers and senders until a sender was killed at each point."""
    random = Random(seed)  # noqa: S311  no secret
    report, missing = KillReport(), Counter(points)
    mails_per_kill = subscribers // (len(points) * senders)  # about
    for _ in range(MAX_SCENARIOS):
        crashes = _crashes(list(missing.elements()), mails_per_kill, random)
        report += Scenario(url, subscribers, senders, crashes).run()
        missing = Counter(points) - report.kills
        if not missing:
            return report
    report.faults["no sender passed: " + ", ".join(point.name for point in missing)] += 1
    return report


def _crashes(points: list[CrashPoint], mails_per_kill: int, random: Random) -> list[Crash]:
    """A crash for each point, early enough that there are mails left for all of them."""
    random.shuffle(points)
    crashes: list[Crash] = []
    # The mails of a killed sender are the last that become due.
    for point in sorted(points, key=lambda point: point.requires_killed_sender):
        max_passes = mails_per_kill // point.mails_per_pass if point.mails_per_pass else 1
        if point.requires_killed_sender:
            crashes.append(Crash(FINAL_DOT, random.randint(1, 2)))
        elif point.requires_interruption:
            max_passes = MAX_BATCH // 2  # so that the sender has something to put back
        elif point in BY_PARENT:
            max_passes = MAX_RANDOM_MILLISECONDS
        crashes.append(Crash(point, random.randint(1, max(max_passes, 1))))
    return crashes


@dataclass(frozen=True)
class Scenario:
    """Several senders send to all subscribers at once. Each new sender gets the next of the crashes."""

    url: str
    subscribers: int
    senders: int
    crashes: Sequence[Crash]

    @property
    def lease(self) -> timedelta:
        """A short lease, but two senders that live must not take over each other's mails."""
        return timedelta(seconds=0.2 if self.senders == 1 else 2)

    def limits(self, crash: Crash | None) -> SendingLimits:
        """As fast as possible, unless a crash waits for something that only happens once in a while."""
        is_slow = crash and any(planned.point.is_slow for planned in self.crashes)
        return SendingLimits(CONNECTIONS, per_second=int(40 / self.lease.total_seconds()) if is_slow else 0)

    def run(self) -> KillReport:
        """Send, kill and replace until no mail is left."""
        report = KillReport()
        _mail()  # rendered before any process is forked
        with opened(self.url) as database:
            retry_while_away(lambda: self._prepare(database))  # the server may have been killed a moment ago
        with Sink() as sink:
            _Supervisor(self, sink, report).run()
        with opened(self.url) as database:
            retry_while_away(lambda: compare(database, sink.stored, self.subscribers, report))
        return report

    def _prepare(self, database: Database) -> None:
        with database.sessions.begin() as session:
            if session.scalar(select(Issue.id)) is None:  # the first scenario
                add_issue(session, issue_of(2))
        seed(database, self.subscribers)


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """The database, whose tables exist already."""
    engine = open_engine(url)
    try:
        yield Database(engine, sessionmaker(engine, expire_on_commit=False))
    finally:
        engine.dispose()


def end_sessions(url: str, *, kill: bool) -> None:
    """End all sessions of a PostgreSQL database, or kill one of them, after which the server restarts all of them."""
    function = func.pg_terminate_backend if not kill else func.int4
    is_other = "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    statement = select(function(column("pid"))).select_from(table("pg_stat_activity")).where(text(is_other))
    with opened(url) as database:
        found = transact(database.sessions, lambda session: session.scalars(statement).all())
    if kill and found:
        os.kill(found[0], signal.SIGKILL)


@cache
def _mail() -> NextMail:
    edition = edition_of(issue_of(2))
    return NextMail(edition, rendered(edition))


# --- the senders --------------------------------------------------------------------


class _Sender:
    """A process that plans and sends until no mail is left, or until it dies."""

    def __init__(self, scenario: Scenario, server: SmtpServer, crash: Crash | None) -> None:
        self.point = crash.point if crash else None
        self._scenario = scenario
        self._next_act = time.monotonic() + crash.nth / 1000 if crash and crash.point in BY_PARENT else inf
        self._is_stopped = False
        self._process = multiprocessing.get_context("fork").Process(
            target=_plan_and_send, args=(scenario, server, crash)
        )
        self._process.start()
        self.sentinel = self._process.sentinel

    def time_left(self) -> float:
        """The seconds until something is to be done to the process."""
        return max(self._next_act - time.monotonic(), 0)

    def act(self) -> bool:
        """Do what the point says. Returns whether that is over, and the process goes on."""
        self._next_act = inf
        if self.point == RANDOM:
            self.kill()
            return False
        if self.point == STOPPED and not self._is_stopped:
            self._is_stopped = True
            self._signal(signal.SIGSTOP)
            self._next_act = time.monotonic() + 1.5 * self._scenario.lease.total_seconds()
            return False
        if self.point == STOPPED:
            self._signal(signal.SIGCONT)
        else:
            end_sessions(self._scenario.url, kill=self.point == DATABASE_KILLED)
        return True

    def kill(self) -> None:
        self._process.kill()

    def _signal(self, number: signal.Signals) -> None:
        os.kill(self._process.pid or 0, number)

    def exit_code(self) -> int | None:
        self._process.join()
        return self._process.exitcode


def _plan_and_send(scenario: Scenario, server: SmtpServer, crash: Crash | None) -> None:
    planner.MAX_SUBSCRIBERS_PER_TRANSACTION = claim_buffer.MAX_BATCH = MAX_BATCH
    pool.MAX_MESSAGES_PER_CONNECTION = MAX_BATCH // 2
    sender.WATCH_INTERVAL_SECONDS = scenario.lease.total_seconds() / 10
    with opened(scenario.url) as database:
        if crash and crash.point not in BY_PARENT:
            inject(crash, database.engine)
        spec = _mail().edition.spec
        group = AudienceGroup(spec.language, spec.detail, cursor=0, size=scenario.subscribers)
        slot = digest_plan.DigestSlot(spec.slot, spec.frequency)
        digest_plan._plan_mails(
            database.sessions, slot, [digest_plan.GroupMail(group, _mail())], set(), IDENTITY, _now()
        )
        context = SendingContext(
            database, SmtpPool([server]), IDENTITY, _now, scenario.limits(crash), scenario.lease
        )
        try:
            send_due(context, spec.slot, repeat_uncertain=True)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


def _now() -> datetime:
    return datetime.now(UTC)


class _Supervisor:
    """Starts the senders of a scenario, and replaces each one that is killed."""

    def __init__(self, scenario: Scenario, sink: Sink, report: KillReport) -> None:
        self._scenario, self._report = scenario, report
        self._server = SmtpServer(sink.host, sink.port, "none")
        self._crashes = deque(scenario.crashes)
        self._running: list[_Sender] = []

    def run(self) -> None:
        try:
            for _ in range(self._scenario.senders):
                self._start_sender()
            while self._running:
                self._wait_for_an_end()
        finally:
            for process in self._running:
                process.kill()

    def _start_sender(self) -> None:
        crash = self._crashes.popleft() if self._crashes else None
        self._running.append(_Sender(self._scenario, self._server, crash))

    def _wait_for_an_end(self) -> None:
        """Wait until a sender ends, or do to one what its crash says when its time has come."""
        next_kill = min(process.time_left() for process in self._running)
        ended = wait([process.sentinel for process in self._running], min(next_kill, TIMEOUT_SECONDS))
        if not ended and next_kill > TIMEOUT_SECONDS:
            raise TimeoutError(f"no sender ended within {TIMEOUT_SECONDS} seconds")
        for process in [process for process in self._running if process.sentinel in ended]:
            self._running.remove(process)
            self._replace(process)
        for process in self._running:
            if not process.time_left() and process.act() and process.point:
                self._report.kills[process.point] += 1

    def _replace(self, process: _Sender) -> None:
        code = process.exit_code()
        is_terminated = code == INTERRUPTED and process.point == TERMINATION
        if process.point and (is_terminated or code == -signal.SIGKILL):
            self._report.kills[process.point] += 1
        elif code not in {0, INTERRUPTED}:
            self._report.faults[f"a sender ended with {code}"] += 1
            return
        if code:
            self._start_sender()
