"""The sender: workers that claim a delivery, build its message, mark it, send it and settle it.

A run stops when the fault is ours: a refused login, a refused sender, an unreachable server. All deliveries stay
planned then.
"""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from core.database import transact
from core.locks import file_lock
from core.rate_storage import DatabaseStorage
from delivery import events, outbox, retry
from delivery.circuit_breaker import CircuitBreaker
from delivery.claim_buffer import ClaimBuffer
from delivery.context import SendingContext
from delivery.daily_caps import daily_caps
from delivery.group_commit import Admission, GroupCommit
from delivery.interruption import run_interruptibly
from delivery.mail_builder import Mail, MailBuilder
from delivery.progress import Progress, ProgressReporter, ignore_progress
from delivery.rate_limit import DomainThrottle, HourlyQuota, RateLimiter
from delivery.retry import Claim, Outcome
from delivery.states import DeliveryState
from delivery.status_codes import FailureKind
from delivery.transport.base import Client, FaultCategory, SendError

logger = logging.getLogger(__name__)

WATCH_INTERVAL_SECONDS = 1.0


@dataclass
class SendResult:
    """What a run did: how many deliveries came to which state, and why it stopped, if it did."""

    states: Counter[str] = field(default_factory=Counter)
    stopped: str = ""


def send_due(
    context: SendingContext,
    queue: str | None,
    *,
    repeat_uncertain: bool,
    progress: Progress = ignore_progress,
) -> SendResult:
    """Send all deliveries that are due, in one queue (and in the priority queue) or in all queues.

    On PostgreSQL any number of senders can run at the same time. On SQLite a second one waits for the first.

    A signal whose handler raises an exception (Ctrl-C, SIGTERM) ends the run between two mails: what is in flight is
    finished, and everything else is put back.
    """
    with _single_sender_on_sqlite(context):
        return run_interruptibly(_Run(context, queue, repeat_uncertain, progress).run())


@contextmanager
def _single_sender_on_sqlite(context: SendingContext) -> Iterator[None]:
    database = context.database
    if database.engine.dialect.name != "sqlite":
        yield
        return
    message = "another sender is at work on this database: waiting for it to end"
    with file_lock(database.engine, "outbox", lambda: logger.warning(message)):
        transact(database.sessions, lambda session: outbox.recover(session, context.clock()))
        yield


class _Run:
    """One run: its workers share a claim buffer, a group commit, and the reasons to stop."""

    def __init__(
        self, context: SendingContext, queue: str | None, repeat_uncertain: bool, progress: Progress
    ) -> None:
        limits = context.limits
        self._context, self._queue = context, queue
        self._commits = GroupCommit(context.database, secrets.token_hex(8), context.clock, context.lease)
        storage = DatabaseStorage(context.database)
        caps = daily_caps(limits.warm_up, storage, self._commits, context.clock)
        self._claims = ClaimBuffer(
            self._commits,
            queue,
            HourlyQuota(storage, limits.per_hour),
            caps=caps,
            connections=limits.connections,
            repeat_uncertain=repeat_uncertain,
            clock=context.clock,
        )
        self._rate_limiter = RateLimiter(limits.per_second)
        self._throttle = DomainThrottle()
        self._circuit_breaker = CircuitBreaker()
        self._mails = MailBuilder(context, self._commits, self._claims, self._throttle, caps)
        self._clients: set[Client] = set()  # of the workers that are running
        self._uncertain: set[int] = set()
        self._result = SendResult()
        self._reporter = ProgressReporter(self._commits, queue, progress, self._result.states.total)

    async def run(self) -> SendResult:
        """Everything from the first claim to the last commit."""
        try:
            await self._commits.transact(
                lambda session, _lease, _now: events.erase_forgotten_subscribers(session)
            )
            await self._commits.transact(lambda session, _lease, _now: self._throttle.load(session))
            await self._claims.refill()
            await self._reporter.count(len(self._claims))
            await self._run_workers(min(self._context.limits.connections, max(self._reporter.total, 1)))
            await self._finish()
            await self._reporter.finish()
        finally:
            await self._commits.close()
        return self._result

    async def _run_workers(self, count: int) -> None:
        self._commits.workers = count
        workers = [asyncio.create_task(self._work()) for _ in range(count)]
        watch = asyncio.create_task(self._watch())
        try:
            await _wait_for_all(workers, watch)
        except asyncio.CancelledError:  # the operator interrupts the run: what is in flight may still arrive
            self._stop("interrupted")
            await asyncio.wait(workers)
            await self._finish()
            raise
        finally:
            for task in (*workers, watch):
                task.cancel()
            await asyncio.gather(*workers, watch, return_exceptions=True)

    async def _watch(self) -> None:
        """Renew the lease, save what was learned about domains, and report progress."""
        loop = asyncio.get_running_loop()
        renewed_at = loop.time()
        while True:
            await self._reporter.report()
            await asyncio.sleep(WATCH_INTERVAL_SECONDS)
            if self._throttle.has_changed:
                await self._save_throttle()
            if loop.time() - renewed_at > self._context.lease.total_seconds() / 3:
                await self._claims.renew()
                renewed_at = loop.time()

    async def _save_throttle(self) -> None:
        await self._commits.transact(lambda session, _lease, _now: self._throttle.save(session))
        self._throttle.mark_saved()

    async def _finish(self) -> None:
        await self._save_throttle()
        await self._claims.put_back()
        # If the run stopped for a fault of ours, the last refusals were probably not the recipients' fault either.
        if suspects := self._circuit_breaker.failed_ids if self._result.stopped else []:
            replanned = await self._commits.transact(
                lambda session, _lease, now: outbox.replan_failed(session, suspects, now)
            )
            self._result.states[DeliveryState.FAILED] -= replanned

    def _stop(self, reason: str) -> None:
        self._result.stopped = self._result.stopped or reason
        self._claims.is_closed = True

    # --- one worker -----------------------------------------------------------------

    async def _work(self) -> None:
        """Send over one connection, until nothing is left or the run stops."""
        client = self._context.transport.client()
        self._clients.add(client)
        outcomes: list[Outcome] = []  # not committed yet
        mail: Mail | None = None
        try:
            while client in self._clients:
                mail = mail or await self._next_mail(outcomes)
                if mail is None:
                    return
                await self._rate_limiter.acquire()
                # Once the run stops nothing more is sent, however long this worker has waited.
                if self._claims.is_closed:
                    break
                if self._mails.is_postponed(mail.claim, outcomes):
                    mail = None
                    continue
                self._throttle.reserve(mail.claim.recipient.email, self._context.clock())
                # The next mail is built now, so that its first commands can be sent ahead (see the transport).
                following = None if self._rate_limiter.is_active else await self._mails.available(outcomes)
                # One commit settles the outcomes and marks this mail as sending.
                if await self._commit(outcomes, mail.claim):
                    # The database may have been away for minutes, so the run may have stopped since.
                    has_stopped = self._claims.is_closed
                    outcomes.append(
                        _unsent(mail) if has_stopped else await self._send(client, mail, following)
                    )
                mail = following
            if mail:
                outcomes.append(_unsent(mail))
            await self._commit(outcomes, None)
        finally:
            self._clients.discard(client)
            self._commits.workers -= 1
            await client.close()

    async def _next_mail(self, outcomes: list[Outcome]) -> Mail | None:
        """The next mail, after waiting for one if necessary, or None when nothing is left, or the run ends."""
        while (mail := await self._mails.available(outcomes)) is None:
            await self._commit(outcomes, None)
            if not await self._claims.wait():
                return None
        return mail

    async def _commit(self, outcomes: list[Outcome], claim: Claim | None) -> bool:
        """Settle the outcomes and mark the claim as sending. Returns whether it may be sent."""
        if not outcomes and claim is None:
            return False
        admission = await self._commits.commit(outcomes, claim)
        for outcome in outcomes:
            self._claims.release(outcome.id, is_attempted=outcome.state != DeliveryState.PLANNED)
            self._count(outcome)
        outcomes.clear()
        if claim and admission != Admission.SEND:
            self._claims.release(claim.id, is_attempted=False)
            self._result.states[DeliveryState.SKIPPED] += admission == Admission.SKIP
        return admission == Admission.SEND

    def _count(self, outcome: Outcome) -> None:
        if outcome.id in self._uncertain:  # it was repeated, and only its last state counts
            self._result.states[DeliveryState.UNCERTAIN] -= 1
            self._uncertain.discard(outcome.id)
        if outcome.state == DeliveryState.UNCERTAIN:
            self._uncertain.add(outcome.id)
        if outcome.state != DeliveryState.PLANNED:
            self._result.states[outcome.state] += 1

    async def _send(self, client: Client, mail: Mail, following: Mail | None) -> Outcome:
        claim = mail.claim
        try:
            reply = await client.send(mail.message, following.message if following else None)
        except SendError as error:
            if error.is_before_message:
                self._lose_client(client, error)
                return retry.not_sent(claim, error, self._context.clock())
            return self._handle_error(claim, error)
        self._circuit_breaker.record_success()
        self._throttle.on_accepted(claim.recipient.email)
        return retry.sent(claim, reply, self._context.clock())

    def _lose_client(self, client: Client, error: SendError) -> None:
        """Go on with the other connections, because a server may accept fewer than we would open."""
        self._clients.discard(client)
        if self._clients:
            left = len(self._clients)
            logger.warning("%d connections are left: %s", left, error.anonymous, extra={"slot": self._queue})
        else:
            self._stop_for(error)

    def _stop_for(self, error: SendError) -> None:
        fault = f"the mail server refuses to work for us ({error.anonymous})"
        self._stop(f"{fault}: correct that, then run again")

    def _handle_error(self, claim: Claim, error: SendError) -> Outcome:
        now = self._context.clock()
        outcome = retry.not_sent(claim, error, now)
        ids = {"delivery": claim.id, "subscriber": claim.subscriber_id, "slot": self._queue}
        logger.info("mail %s: %s", outcome.state, error.anonymous, extra=ids)
        if error.is_busy:
            self._throttle.on_busy(claim.recipient.email, now)
        if error.category == FaultCategory.OURS:
            self._stop_for(error)
        elif error.is_dead_address or outcome.is_refused:
            self._circuit_breaker.record_success()
        elif reason := self._circuit_breaker.record_failure(claim.id, _refusing_domain(claim, error)):
            self._stop(f"{reason}, the last with: {error.anonymous}")
        return outcome


def _refusing_domain(claim: Claim, error: SendError) -> str:
    """The recipient's domain, if the server refused the mail for a reason that may be about us."""
    return claim.recipient.email.rpartition("@")[2].lower() if error.failure == FailureKind.OUR_FAULT else ""


def _unsent(mail: Mail) -> Outcome:
    return retry.postponed(mail.claim, mail.claim.due_at)


async def _wait_for_all(workers: Sequence["asyncio.Task[None]"], watch: "asyncio.Task[None]") -> None:
    """Wait for all workers. An exception of a worker, or of the watch, ends the wait."""
    running = set(workers)
    while running:
        done, _ = await asyncio.wait({*running, watch}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        running -= done
