"""The sending loop: lines that take a claim, build, announce, send and settle; it stops for faults of ours."""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import uvloop

from core.database import Database, exclusive
from delivery import events, outbox, retry
from delivery.circuit_breaker import Breaker
from delivery.claim_buffer import Stock
from delivery.group_commit import GO, SKIPPED, Ledger
from delivery.models import EditionRow
from delivery.progress import Progress, ProgressTeller, ignore_progress
from delivery.rate_limit import Domains, Metronome, Quota, Speed
from delivery.retry import Claim, Outcome
from delivery.transport.pool import Line, Transport
from delivery.transport.smtp.replies import BEFORE_MESSAGE, Refusal, judge
from emails.message import House, Message, Template, content_of
from subscribers.signup_limits import DatabaseStorage

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
MOST_TEMPLATES = 32  # kept in memory; each takes a few hundred kilobytes
TICK = 1.0  # seconds between two looks at how the run goes

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Office:
    """What sending stands on: the database, the servers, the house, the clock, and how fast to go.

    A sender that is silent for the `lease` has lost what it claimed to the others.
    """

    database: Database
    transport: Transport
    house: House
    clock: Clock
    speed: Speed = field(default_factory=Speed)
    lease: timedelta = LEASE


@dataclass
class Drained:
    """What a drain did: how many deliveries came to which state by it, and why it stopped, if it did."""

    states: Counter[str] = field(default_factory=Counter)
    stopped: str = ""


def drain(
    office: Office, queue: str | None, *, repeat_uncertain: bool, progress: Progress = ignore_progress
) -> Drained:
    """Send all deliveries that are due, of one queue (and what somebody waits for) or of all.

    Any number of senders can drain at once on PostgreSQL; on SQLite a second one waits for the first.
    """
    with _alone_on_sqlite(office), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Run(office, queue, repeat_uncertain, progress).drain())


@contextmanager
def _alone_on_sqlite(office: Office) -> Iterator[None]:
    engine = office.database.engine
    if engine.dialect.name != "sqlite":
        yield
        return
    waits = "another sender is at work on this database: waiting for it to end"
    with exclusive(engine, "outbox", lambda: logger.warning(waits)):
        with office.database.sessions.begin() as session:
            outbox.recover(session, office.clock())
        yield


class _Mail(NamedTuple):
    claim: Claim
    message: Message


class _Run:
    """One drain: its lines share a stock of claims, a ledger and the reasons to stop."""

    def __init__(self, office: Office, queue: str | None, repeat_uncertain: bool, progress: Progress) -> None:
        self._office, self._queue = office, queue
        self._ledger = Ledger(office.database, secrets.token_hex(8), office.clock, office.lease)
        self._quota = Quota(DatabaseStorage(office.database), office.speed.per_hour)
        self._stock = Stock(
            self._ledger,
            queue,
            self._quota,
            connections=office.speed.connections,
            repeat_uncertain=repeat_uncertain,
            clock=office.clock,
        )
        self._metronome = Metronome(office.speed.per_second)
        self._domains = Domains()
        self._breaker = Breaker()
        self._templates: dict[int, Template] = {}
        self._lines: set[Line] = set()  # at work
        self._uncertain: set[int] = set()
        self._result = Drained()
        self._teller = ProgressTeller(self._ledger, queue, progress, self._result.states.total)

    async def drain(self) -> Drained:
        """Everything, from the first claim to the last commit."""
        try:
            await self._ledger.do(lambda session, _hold, _now: events.erase_forgotten(session))
            await self._ledger.do(self._domains.read)
            await self._stock.refill()
            await self._teller.count(len(self._stock))
            await self._run_lines(min(self._office.speed.connections, max(self._teller.due, 1)))
            await self._end()
            await self._teller.end()
        finally:
            self._ledger.close()
        return self._result

    async def _run_lines(self, count: int) -> None:
        self._ledger.lines = count
        lines = [asyncio.create_task(self._work()) for _ in range(count)]
        watch = asyncio.create_task(self._watch())
        try:
            await _all(lines, watch)
        except asyncio.CancelledError:  # by the operator: what is on its way may arrive
            self._stop("interrupted")
            await asyncio.wait(lines)
            await self._end()
            raise
        finally:
            for task in (*lines, watch):
                task.cancel()
            await asyncio.gather(*lines, watch, return_exceptions=True)

    async def _watch(self) -> None:
        """Keep the claims, keep what was learned of domains, and tell how far the run is."""
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await self._teller.go_on()
            await asyncio.sleep(TICK)
            if self._domains.has_changed:
                await self._write_domains()
            if loop.time() - renewed > self._office.lease.total_seconds() / 3:
                await self._stock.renew()
                renewed = loop.time()

    async def _write_domains(self) -> None:
        await self._ledger.do(self._domains.write)
        self._domains.written()

    async def _end(self) -> None:
        await self._write_domains()
        await self._stock.give_back()
        if suspects := self._breaker.suspects if self._result.stopped else []:
            taken_back = await self._ledger.do(
                lambda session, _hold, now: outbox.take_back_failed(session, suspects, now)
            )
            self._result.states["failed"] -= taken_back

    def _stop(self, reason: str) -> None:
        self._result.stopped = self._result.stopped or reason
        self._stock.is_closed = True

    # --- one line -------------------------------------------------------------------

    async def _work(self) -> None:
        """Send over one connection, until nothing is left or the run stops."""
        line = self._office.transport.line()
        self._lines.add(line)
        done: list[Outcome] = []  # not yet written down
        mail: _Mail | None = None
        try:
            while line in self._lines:
                mail = mail or await self._next_mail(done)
                if mail is None:
                    return
                await self._metronome.beat()
                # Nothing more goes out once the run stops, however long this line waited for its turn.
                if self._stock.is_closed:
                    break
                if self._postpone_for_its_domain(mail.claim, done):
                    mail = None
                    continue
                self._domains.take_turn(mail.claim.reader.email, self._office.clock())
                following = None if self._metronome.is_slow else await self._mail_at_hand(done)
                # One commit writes down what is done and announces this mail.
                if await self._write_down(done, mail.claim):
                    # The database may have been away for minutes.
                    has_stopped = self._stock.is_closed
                    done.append(_unsent(mail) if has_stopped else await self._send(line, mail, following))
                mail = following
            if mail:
                done.append(_unsent(mail))
            await self._write_down(done, None)
        finally:
            self._lines.discard(line)
            self._ledger.lines -= 1
            await line.close()

    async def _next_mail(self, done: list[Outcome]) -> _Mail | None:
        """The next mail, waited for; None when nothing is left to send, or the run ends."""
        while (mail := await self._mail_at_hand(done)) is None:
            await self._write_down(done, None)
            if not await self._stock.wait():
                return None
        return mail

    async def _mail_at_hand(self, done: list[Outcome]) -> _Mail | None:
        """The next mail, if there is one without waiting; what is claimed and cannot go now is done."""
        while claim := self._stock.at_hand():
            if self._postpone_for_its_domain(claim, done):
                continue
            now = self._office.clock()
            template = self._templates.get(claim.edition_id) or await self._read_template(claim.edition_id)
            try:
                message = template.message(
                    claim.reader, message_id=claim.message_id, in_reply_to=claim.in_reply_to, now=now
                )
            except ValueError as error:
                done.append(retry.unwritable(claim, str(error), now))
            else:
                return _Mail(claim, message)
        return None

    def _postpone_for_its_domain(self, claim: Claim, done: list[Outcome]) -> bool:
        """Whether the mail has to wait as its domain asked for it; it is done then, for now."""
        later = self._domains.later(claim.reader.email, self._office.clock())
        if later:
            done.append(retry.postponed(claim, later))
        return later is not None

    async def _read_template(self, edition_id: int) -> Template:
        content = await self._ledger.do(
            lambda session, _hold, _now: content_of(session.get_one(EditionRow, edition_id))
        )
        if len(self._templates) >= MOST_TEMPLATES:
            self._templates.pop(next(iter(self._templates)))
        template = self._templates[edition_id] = Template(content, self._office.house)
        return template

    async def _write_down(self, done: list[Outcome], claim: Claim | None) -> bool:
        """Settle what is done and announce the claim; whether it may go out."""
        if not done and claim is None:
            return False
        reason = await self._ledger.turn(done, claim)
        for outcome in done:
            self._stock.release(outcome.id)
            self._stock.unsent += outcome.state == "planned"
            self._count(outcome)
        done.clear()
        if claim and reason != GO:
            self._stock.release(claim.id)
            self._stock.unsent += 1
            self._result.states["skipped"] += reason == SKIPPED
        return reason == GO

    def _count(self, outcome: Outcome) -> None:
        if outcome.id in self._uncertain:
            self._result.states["uncertain"] -= 1
            self._uncertain.discard(outcome.id)
        if outcome.state == "uncertain":
            self._uncertain.add(outcome.id)
        if outcome.state != "planned":
            self._result.states[outcome.state] += 1

    async def _send(self, line: Line, mail: _Mail, following: _Mail | None) -> Outcome:
        claim = mail.claim
        try:
            reply = await line.send(mail.message, following.message if following else None)
        except Refusal as refusal:
            if refusal.phase in BEFORE_MESSAGE:
                self._lose(line, refusal)
                return retry.refused(claim, refusal, judge(refusal), self._office.clock())
            return self._refused(claim, refusal)
        self._breaker.passed()
        self._domains.taken(claim.reader.email)
        return retry.sent(claim, reply, self._office.clock())

    def _lose(self, line: Line, refusal: Refusal) -> None:
        """Go on without a line: a server may take fewer connections than we would open."""
        self._lines.discard(line)
        if self._lines:
            left = len(self._lines)
            logger.warning(
                "%d connections are left: %s", left, refusal.unaddressed, extra={"slot": self._queue}
            )
        else:
            self._stop_for(refusal)

    def _stop_for(self, refusal: Refusal) -> None:
        fault = f"the mail server refuses to work for us ({refusal.unaddressed})"
        self._stop(f"{fault}: mend that, then run again")

    def _refused(self, claim: Claim, refusal: Refusal) -> Outcome:
        verdict, now = judge(refusal), self._office.clock()
        outcome = retry.refused(claim, refusal, verdict, now)
        ids = {"delivery": claim.id, "subscriber": claim.subscriber_id, "slot": self._queue}
        logger.info("a mail is %s: %s", outcome.state, refusal.unaddressed, extra=ids)
        self._domains.refused(claim.reader.email, refusal, now)
        if verdict.stop:
            self._stop_for(refusal)
        elif verdict.suppress:
            self._breaker.passed()
        elif reason := self._breaker.refused(claim.id):
            self._stop(f"{reason}, the last with: {refusal.unaddressed}")
        return outcome


def _unsent(mail: _Mail) -> Outcome:
    return retry.postponed(mail.claim, mail.claim.due_at)


async def _all(lines: Sequence["asyncio.Task[None]"], watch: "asyncio.Task[None]") -> None:
    """Wait for all lines; a fault of one, or of their watch, ends the wait."""
    at_work = set(lines)
    while at_work:
        done, _ = await asyncio.wait({*at_work, watch}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        at_work -= done
