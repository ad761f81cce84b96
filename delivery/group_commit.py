"""Group commit: what several workers settle, and what they send next, is written in one transaction.

No worker can continue before its own commit, and those that become ready while a commit is running share the next
one. While PostgreSQL commits for one group of workers, the event loop goes on and the other group sends. On SQLite
the commit runs in the event loop itself: a thread of its own was measured to be slower, because the two threads wait
for the interpreter more often than for the disk.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.bulk_update import open_update_connection
from core.database import Database, Patience
from delivery import settlement
from delivery.outbox import Lease
from delivery.retry import Claim, Outcome

T = TypeVar("T")
Work = Callable[[Session, Lease, datetime], T]

COMMIT_WAIT_SECONDS = 0.001  # that a commit waits for the other workers of its group
GROUPS_ON_POSTGRESQL = 2  # of workers that take turns: one sends while the other waits for its commit


class Admission(Enum):
    """Whether a claimed delivery may be sent now."""

    SEND = auto()
    SKIP = auto()  # the subscriber has left, paused or been suppressed
    LOST = auto()  # another sender has claimed it since


@dataclass
class _Request:
    outcomes: Sequence[Outcome]
    claim: Claim | None
    admission: asyncio.Future[Admission]


class GroupCommit:
    """Writes to the database for all workers of a run, in the name of one sender."""

    def __init__(
        self, database: Database, token: str, clock: Callable[[], datetime], lease: timedelta
    ) -> None:
        self._database, self._token, self._clock, self._lease = database, token, clock, lease
        self._connection: Connection | None = None
        self.workers = 1  # that may take part in a commit
        self._groups = GROUPS_ON_POSTGRESQL if database.engine.dialect.name == "postgresql" else 1
        # A transaction that blocks the event loop must not wait for one that is under way.
        self._lock = asyncio.Lock()
        self._requests: list[_Request] = []
        self._is_complete = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def commit(self, outcomes: Sequence[Outcome], claim: Claim | None) -> Admission:
        """Settle a worker's outcomes and mark its next delivery as sending. Returns whether it may be sent."""
        admission: asyncio.Future[Admission] = asyncio.get_running_loop().create_future()
        self._requests.append(_Request(outcomes, claim, admission))
        if self._writer is None:
            self._is_complete.clear()
            self._writer = asyncio.create_task(self._write())
        if len(self._requests) * self._groups >= self.workers:
            self._is_complete.set()
        return await admission

    async def transact(self, work: Work[T]) -> T:
        """Run some work in a transaction, again and again while the database is away."""
        return await self.retry_while_away(lambda: self._transact(work))

    async def retry_while_away(self, work: Callable[[], T]) -> T:
        """Run some work that needs the database, again and again while it is away."""

        async def once() -> T:
            return work()

        return await self._retry_while_away(once)

    async def _retry_while_away(self, work: Callable[[], Awaitable[T]]) -> T:
        patience = Patience()
        while True:
            try:
                async with self._lock:
                    return await work()
            except DBAPIError as error:
                self._close_connection()
                wait = patience.seconds_to_wait(error)
            await asyncio.sleep(wait)

    async def close(self) -> None:
        """End a commit that is still under way, and close the connection. Its workers do not wait for it any more."""
        self._requests.clear()
        if self._writer:
            self._writer.cancel()
            await asyncio.wait({self._writer})
        self._close_connection()

    def _close_connection(self) -> None:
        """The next commit opens another connection."""
        if self._connection:
            self._connection.close()
            self._connection = None

    async def _write(self) -> None:
        try:
            while self._requests:
                timer = asyncio.get_running_loop().call_later(COMMIT_WAIT_SECONDS, self._is_complete.set)
                await self._is_complete.wait()
                timer.cancel()
                self._is_complete.clear()
                requests, self._requests = self._requests, []
                await self._commit_together(requests)
        finally:
            self._writer = None

    async def _commit_together(self, requests: list[_Request]) -> None:
        outcomes = [outcome for request in requests for outcome in request.outcomes]
        claims = [request.claim for request in requests if request.claim]
        try:
            reasons = await self._retry_while_away(lambda: self._settle_and_mark(outcomes, claims))
        except BaseException as error:  # noqa: BLE001  the waiting workers raise it, whatever it is
            for request in requests:
                if not request.admission.done():
                    request.admission.set_exception(error)
            return
        for request in requests:
            if not request.admission.done():  # a cancelled worker does not wait any more
                reason = reasons.get(request.claim.id) if request.claim else None
                request.admission.set_result(_admission(reason))

    async def _settle_and_mark(self, outcomes: Sequence[Outcome], claims: Sequence[Claim]) -> dict[int, str]:
        # The connection is kept for all commits of a run: checking one out of the pool costs a round trip.
        self._connection = self._connection or open_update_connection(self._database.engine)
        if await settlement.commit_fast(self._connection, outcomes, claims, self._current_lease()):
            return dict.fromkeys((claim.id for claim in claims), "")
        return self._transact(
            lambda session, lease, now: settlement.commit_checked(session, outcomes, claims, lease, now)
        )

    def _transact(self, work: Work[T]) -> T:
        with self._database.sessions.begin() as session:
            return work(session, self._current_lease(), self._clock())

    def _current_lease(self) -> Lease:
        return Lease(self._token, self._clock() + self._lease)


def _admission(reason: str | None) -> Admission:
    if reason is None:
        return Admission.LOST
    return Admission.SKIP if reason else Admission.SEND
