"""The claim buffer of a run: deliveries that it has claimed and not settled yet, refilled in batches."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from delivery import outbox, queries
from delivery.daily_caps import DailyCaps
from delivery.group_commit import GroupCommit
from delivery.outbox import Lease
from delivery.planner import PRIORITY_QUEUE
from delivery.rate_limit import MAX_INTERVAL_SECONDS, HourlyQuota
from delivery.retry import Claim

MIN_BATCH, MAX_BATCH = 20, 200  # deliveries claimed together
# How long a batch lasts, so that senders share the rest fairly.
MIN_BATCH_SECONDS, MAX_BATCH_SECONDS = 1.0, 4.0
MIN_POLL_SECONDS, MAX_POLL_SECONDS = 0.1, 1.0  # between two looks at what other senders have claimed
MAX_WAIT = timedelta(minutes=15)  # for other senders and throttled domains, with nothing else to send


class ClaimBuffer:
    """The claims of one queue (and of the priority queue), or of all queues."""

    def __init__(
        self,
        commits: GroupCommit,
        queue: str | None,
        quota: HourlyQuota,
        *,
        caps: DailyCaps | None = None,
        connections: int,
        repeat_uncertain: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._commits, self._queue, self._quota, self._caps = commits, queue, quota, caps
        self._repeat_uncertain, self._clock = repeat_uncertain, clock
        self._available: deque[Claim] = deque()
        self._claimed_ids: set[int] = set()
        # Commits of claims that have no answer yet. One whose answer was lost stays counted: it may have claimed something.
        self._unanswered_commits = 0
        self._refill_lock = asyncio.Lock()
        self._min_batch = self._batch = max(MIN_BATCH, 2 * connections)
        self._refilled_at: float | None = None
        self._waiting_since: float | None = None
        self.is_closed = False
        self._unsent = 0  # claims that count in the hourly quota and were not attempted

    def __len__(self) -> int:
        """How many claims are available."""
        return len(self._available)

    def pop(self) -> Claim | None:
        """The next claim, if there is one without waiting."""
        return self._available.popleft() if self._available and not self.is_closed else None

    async def wait(self) -> bool:
        """Wait until a claim is available. Returns False when nothing is left to send, or the run ends."""
        async with self._refill_lock:
            while not self.is_closed:
                if self._available or await self.refill():
                    return True
                if not await self._wait_for_others():
                    return False
            return False

    async def refill(self) -> bool:
        """Claim a batch. Returns whether there was anything to claim or to wait for."""
        size = self._next_batch_size()
        limit = await self._commits.retry_while_away(lambda: self._quota.reserve(size))
        if not limit:
            await asyncio.sleep(MAX_POLL_SECONDS)  # until the hour is over
            return await self._commits.transact(lambda session, _lease, now: self._is_any_due(session, now))
        claims = await self._commits.transact(
            lambda session, lease, now: self._claim(session, lease, now, limit)
        )
        self._unanswered_commits -= 1
        self._available.extend(claims)
        self._claimed_ids.update(claim.id for claim in claims)
        await self._give_back_quota(limit - len(claims))
        return bool(claims)

    def _next_batch_size(self) -> int:
        """How many deliveries to claim, by how long the last batch lasted."""
        now = asyncio.get_running_loop().time()
        lasted = now - self._refilled_at if self._refilled_at else MIN_BATCH_SECONDS
        self._refilled_at = now
        if lasted < MIN_BATCH_SECONDS:
            self._batch *= 2
        elif lasted > MAX_BATCH_SECONDS:
            self._batch = max(self._batch // 2, self._min_batch)
        self._batch = min(self._batch, MAX_BATCH)
        return self._batch

    def release(self, delivery_id: int, *, is_attempted: bool) -> None:
        """A delivery has been settled, or belongs to another sender. If it was not attempted, it counts in no limit."""
        self._claimed_ids.discard(delivery_id)
        self._unsent += not is_attempted
        if self._caps:
            self._caps.settle(delivery_id, is_attempted=is_attempted)

    async def renew(self) -> None:
        """Extend the lease of everything claimed."""
        claimed = list(self._claimed_ids)
        await self._commits.transact(lambda session, lease, _now: outbox.renew(session, claimed, lease))

    async def put_back(self) -> None:
        """Return everything that was claimed and not attempted to the outbox."""
        left = [claim.id for claim in self._available]
        self._available.clear()

        def put_back(session: Session, lease: Lease, _now: datetime) -> None:
            outbox.put_back(session, left, lease)
            if self._unanswered_commits:
                self._put_back_lost_claims(session, lease)

        await self._commits.transact(put_back)
        await self._give_back_quota(len(left))
        if self._caps:
            await self._caps.give_back()

    async def _give_back_quota(self, mails: int) -> None:
        unsent, self._unsent = self._unsent + mails, 0
        await self._commits.retry_while_away(lambda: self._quota.give_back(unsent))

    def _is_any_due(self, session: Session, now: datetime) -> bool:
        return queries.is_any_due(session, self._queues(session), now)

    def _claim(self, session: Session, lease: Lease, now: datetime, limit: int) -> list[Claim]:
        has_lost_answers = self._unanswered_commits > 0
        self._unanswered_commits += 1
        claims = self._claim_due(session, lease, now, limit)
        if not claims and has_lost_answers:
            self._put_back_lost_claims(session, lease)
            claims = self._claim_due(session, lease, now, limit)
        return claims

    def _claim_due(self, session: Session, lease: Lease, now: datetime, limit: int) -> list[Claim]:
        for queue in self._queues(session):
            claims = outbox.claim(
                session, queue, lease, now=now, repeat_uncertain=self._repeat_uncertain, limit=limit
            )
            if claims := self._without_claimed(session, claims, lease):
                return claims
        return []

    def _put_back_lost_claims(self, session: Session, lease: Lease) -> None:
        """Put back what this run has claimed without knowing it: the answer to the commit was lost."""
        claimed = outbox.claimed_ids(session, lease)
        outbox.put_back(session, [id_ for id_ in claimed if id_ not in self._claimed_ids], lease)

    def _without_claimed(self, session: Session, claims: list[Claim], lease: Lease) -> list[Claim]:
        """Put back what this run still counts as claimed.

        A worker may have put a delivery back without knowing yet that the commit succeeded. Claiming it now would
        send it twice.
        """
        claimed = [claim.id for claim in claims if claim.id in self._claimed_ids]
        outbox.put_back(session, claimed, lease)
        return [claim for claim in claims if claim.id not in self._claimed_ids]

    def _queues(self, session: Session) -> list[str]:
        if self._queue is None:
            return outbox.queues_with_work(session)
        return list(dict.fromkeys((PRIORITY_QUEUE, self._queue)))

    async def _wait_for_others(self) -> bool:
        """Wait for what other senders have claimed, or for throttled domains. Returns whether to look again."""
        due_at = await self._commits.transact(
            lambda session, lease, _now: outbox.next_due_elsewhere(session, self._queues(session), lease)
        )
        if due_at is None:
            return False
        now = asyncio.get_running_loop().time()
        self._waiting_since = self._waiting_since or now
        wait = max((due_at - self._clock()).total_seconds(), 0.0)
        if now + wait - self._waiting_since >= MAX_WAIT.total_seconds():
            return False
        if self._caps and wait > MAX_INTERVAL_SECONDS:  # the mails that are left wait for the warm-up
            return False
        await asyncio.sleep(min(max(wait, MIN_POLL_SECONDS), MAX_POLL_SECONDS))
        return True
