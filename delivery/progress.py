"""How far a run is: what it has to do is counted in the outbox, and whoever watches is told."""

import asyncio
from collections.abc import Callable

from delivery import queries
from delivery.group_commit import Ledger

COUNT_ANEW = 15.0  # seconds; to count a million takes a part of one

Progress = Callable[[int, int], None]


def ignore_progress(_done: int, _planned: int) -> None:
    """Nobody watches."""


class ProgressTeller:
    """Tells how many of a run's deliveries are done, and how many it has to do with."""

    def __init__(
        self, ledger: Ledger, queue: str | None, progress: Progress, count_done: Callable[[], int]
    ) -> None:
        self._ledger, self._queue, self._progress, self._count_done = ledger, queue, progress, count_done
        self._counted_at = 0.0
        self._telling: asyncio.Task[None] | None = None
        self.due = 0  # what the run has to do with in all, as counted last

    async def count(self, at_hand: int) -> None:
        """Count what is due at the start, besides what is at hand."""
        self.due = at_hand + await self._ledger.do(
            lambda session, _hold, now: queries.count_due(session, self._queue, now)
        )
        self._counted_at = asyncio.get_running_loop().time()

    async def go_on(self) -> None:
        """Tell how far the run is, unless the last telling is under way."""
        clock = asyncio.get_running_loop().time
        if clock() - self._counted_at > COUNT_ANEW:
            await self._count_anew()
            self._counted_at = clock()
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def end(self) -> None:
        """Tell how it ended."""
        if self._telling:
            await asyncio.wait({self._telling})
        await self._tell()

    async def _count_anew(self) -> None:
        """Other senders take their part of what was due at the start."""
        left = await self._ledger.do(lambda session, _hold, _now: queries.count_left(session, self._queue))
        self.due = self._count_done() + left

    async def _tell(self) -> None:
        """In a thread: whoever is told may take a minute, as a server that is busy."""
        done = self._count_done()
        await asyncio.to_thread(self._progress, done, max(self.due, done))
