"""The stock of a run: what it has claimed and not yet settled, refilled in batches, held until the end."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from delivery import outbox, queries
from delivery.group_commit import Ledger
from delivery.outbox import Hold
from delivery.planner import PROMPT
from delivery.rate_limit import Quota
from delivery.retry import Claim

LEAST, BATCH = 20, 200  # mails claimed at once
SHORT, LONG = 1.0, 4.0  # seconds that a batch should last, so that senders share what is left fairly
SOON, LOOK_AGAIN = 0.1, 1.0  # seconds between two looks at what other senders hold
MOST_WAIT = timedelta(minutes=15)  # for other senders and slow domains, with nothing else to send


class Stock:
    """Claims of one queue (and what somebody waits for), or of all queues."""

    def __init__(
        self,
        ledger: Ledger,
        queue: str | None,
        quota: Quota,
        *,
        connections: int,
        repeat_uncertain: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger, self._queue, self._quota = ledger, queue, quota
        self._repeat_uncertain, self._clock = repeat_uncertain, clock
        self._at_hand: deque[Claim] = deque()
        self._held: set[int] = set()
        self._one_at_a_time = asyncio.Lock()
        self._least = self._batch = max(LEAST, 2 * connections)
        self._refilled_at: float | None = None
        self.is_closed = False
        self._first_wait: float | None = None
        self.unsent = 0  # claims that count in the quota, and were not tried

    def __len__(self) -> int:
        """How many claims are at hand."""
        return len(self._at_hand)

    def at_hand(self) -> Claim | None:
        """The next claim, if there is one without waiting."""
        return self._at_hand.popleft() if self._at_hand and not self.is_closed else None

    async def wait(self) -> bool:
        """Wait until something is at hand; False when nothing is left to send, or the run ends."""
        async with self._one_at_a_time:
            while not self.is_closed:
                if self._at_hand or await self.refill():
                    return True
                if not await self._wait_for_others():
                    return False
            return False

    async def refill(self) -> bool:
        """Claim a batch; whether there was anything."""
        size = self._next_size()
        limit = await self._ledger.again(lambda: self._quota.take(size))
        if not limit:
            await asyncio.sleep(LOOK_AGAIN)  # until the hour is over
            return await self._ledger.do(lambda session, _hold, now: self._is_any_due(session, now))
        claims = await self._ledger.do(lambda session, hold, now: self._claim(session, hold, now, limit))
        await self._count_unsent(limit - len(claims))
        self._at_hand.extend(claims)
        self._held.update(claim.id for claim in claims)
        return bool(claims)

    def _next_size(self) -> int:
        """How many to claim, by how long the last batch lasted."""
        now = asyncio.get_running_loop().time()
        lasted = now - self._refilled_at if self._refilled_at else SHORT
        self._refilled_at = now
        if lasted < SHORT:
            self._batch *= 2
        elif lasted > LONG:
            self._batch = max(self._batch // 2, self._least)
        self._batch = min(self._batch, BATCH)
        return self._batch

    def release(self, delivery_id: int) -> None:
        """A delivery is settled, or another sender's."""
        self._held.discard(delivery_id)

    async def renew(self) -> None:
        """Hold everything for longer."""
        held = list(self._held)
        await self._ledger.do(lambda session, hold, _now: outbox.renew(session, held, hold))

    async def give_back(self) -> None:
        """Whatever was claimed and not tried waits for the next run."""
        left = [claim.id for claim in self._at_hand]
        self._at_hand.clear()
        await self._ledger.do(lambda session, hold, _now: outbox.put_back(session, left, hold))
        await self._count_unsent(len(left))

    async def _count_unsent(self, mails: int) -> None:
        unsent, self.unsent = self.unsent + mails, 0
        await self._ledger.again(lambda: self._quota.give_back(unsent))

    def _is_any_due(self, session: Session, now: datetime) -> bool:
        return queries.is_any_due(session, self._queues(session), now)

    def _claim(self, session: Session, hold: Hold, now: datetime, limit: int) -> list[Claim]:
        for queue in self._queues(session):
            claims = outbox.claim(
                session, queue, hold, now=now, repeat_uncertain=self._repeat_uncertain, limit=limit
            )
            if claims := self._without_held(session, claims, hold):
                return claims
        return []

    def _without_held(self, session: Session, claims: list[Claim], hold: Hold) -> list[Claim]:
        """A line may have put one back, and not know it yet: it waits until then, or it would go out twice."""
        held = [claim.id for claim in claims if claim.id in self._held]
        outbox.put_back(session, held, hold)
        return [claim for claim in claims if claim.id not in self._held]

    def _queues(self, session: Session) -> list[str]:
        if self._queue is None:
            return outbox.queues(session)
        return list(dict.fromkeys((PROMPT, self._queue)))

    async def _wait_for_others(self) -> bool:
        """Whether it is worth looking again: another sender holds something, or something waits its turn."""
        release = await self._ledger.do(
            lambda session, hold, _now: outbox.next_release(session, self._queues(session), hold)
        )
        if release is None:
            return False
        now = asyncio.get_running_loop().time()
        self._first_wait = self._first_wait or now
        wait = max((release - self._clock()).total_seconds(), 0.0)
        if now + wait - self._first_wait >= MOST_WAIT.total_seconds():
            return False
        await asyncio.sleep(min(max(wait, SOON), LOOK_AGAIN))
        return True
