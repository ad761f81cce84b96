"""The progress of a run: how many deliveries it has done and how many there are, reported to a callback."""

import asyncio
from collections.abc import Callable

from delivery import queries
from delivery.group_commit import GroupCommit

RECOUNT_INTERVAL_SECONDS = 15.0  # counting a million deliveries takes a fraction of a second

Progress = Callable[[int, int], None]


def ignore_progress(_done: int, _total: int) -> None:
    """A callback for runs that nobody watches."""


class ProgressReporter:
    """Reports how many of a run's deliveries are done, and how many there are in all."""

    def __init__(
        self, commits: GroupCommit, queue: str | None, progress: Progress, count_done: Callable[[], int]
    ) -> None:
        self._commits, self._queue, self._progress, self._count_done = commits, queue, progress, count_done
        self._counted_at = 0.0
        self._reporting: asyncio.Task[None] | None = None
        self.total = 0  # deliveries that the run has to do, as last counted

    async def count(self, claimed: int) -> None:
        """Count the deliveries that are due at the start, in addition to those that are already claimed."""
        self.total = claimed + await self._commits.transact(
            lambda session, _lease, now: queries.count_due(session, self._queue, now)
        )
        self._counted_at = asyncio.get_running_loop().time()

    async def report(self) -> None:
        """Report the progress, unless the last report is still running."""
        clock = asyncio.get_running_loop().time
        if clock() - self._counted_at > RECOUNT_INTERVAL_SECONDS:
            await self._recount()
            self._counted_at = clock()
        if self._reporting is None or self._reporting.done():
            self._reporting = asyncio.create_task(self._call_back())

    async def finish(self) -> None:
        """Report the final progress."""
        if self._reporting:
            await asyncio.wait({self._reporting})
        await self._call_back()

    async def _recount(self) -> None:
        """Count again, because other senders take a part of what was due at the start."""
        left = await self._commits.transact(
            lambda session, _lease, _now: queries.count_left(session, self._queue)
        )
        self.total = self._count_done() + left

    async def _call_back(self) -> None:
        """Call back in a thread, because the callback may wait a minute for a busy server."""
        done = self._count_done()
        await asyncio.to_thread(self._progress, done, max(self.total, done))
