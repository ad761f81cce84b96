"""The daily caps of a warm-up: each mail of a run to a large provider takes a place under the cap, before it is sent."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from limits.storage import Storage

from core.rate_storage import reserve
from delivery.group_commit import GroupCommit
from delivery.providers import provider_of
from delivery.retry import Claim
from delivery.warm_up import WarmUp
from emails.kinds import SENT_AGAIN, MailKind

EXPIRY_SECONDS = int(timedelta(days=2).total_seconds())  # a day's count, which a clock may see a day late
MAX_PORTION = 200  # places that a run reserves at a time; a statement for each mail would slow it down
PORTIONS = 20  # of a small cap, so that several senders share it, and a crash wastes little of it
MAY_WAIT = frozenset({MailKind.DIGEST, *SENT_AGAIN})  # for another day. For all others, somebody waits


class DailyCaps:
    """Counts the mails of all senders to each large provider by day, and says which mails must wait.

    A run reserves places in small portions and gives back at its end what it did not need. The places that a run holds
    when it crashes stay counted: that day, the provider gets at most one portion less.
    """

    def __init__(self, warm_up: WarmUp, storage: Storage, commits: GroupCommit) -> None:
        self._warm_up, self._storage, self._commits = warm_up, storage, commits
        self._places = Counter[str]()  # reserved and not taken, by the key of the provider and the day
        self._taken: dict[int, str] = {}  # the keys of the places of mails under way, by their delivery ids
        self._full: set[str] = set()
        self._lock = asyncio.Lock()

    async def wait_until(self, claim: Claim, now: datetime) -> datetime | None:
        """When the mail is due again, or None if it may go now. It has a place then, if its provider is capped."""
        provider, cap = provider_of(claim.recipient.email), self._warm_up.cap(now)
        if provider is None or cap is None:
            return None
        key = f"warm-up/{self._warm_up.day(now)}/{provider}"
        if await self._take(key, cap):
            self._taken[claim.id] = key
            return None
        return self._warm_up.next_morning(now) if claim.mail_kind in MAY_WAIT else None

    def settle(self, delivery_id: int, *, is_attempted: bool) -> None:
        """A mail has its outcome. If it was not attempted, another one can have its place."""
        key = self._taken.pop(delivery_id, None)
        if key and not is_attempted:
            self._places[key] += 1

    async def give_back(self) -> None:
        """Give back the places that nobody has taken."""
        left, self._places = +self._places, Counter()
        for key, places in left.items():
            await self._commits.retry_while_away(partial(self._storage.incr, key, EXPIRY_SECONDS, -places))

    async def _take(self, key: str, cap: int) -> bool:
        """Take a place, if there is one."""
        async with self._lock:
            if not self._places[key] and key not in self._full:
                await self._reserve(key, cap)
            if self._places[key]:
                self._places[key] -= 1
                return True
            return False

    async def _reserve(self, key: str, cap: int) -> None:
        wanted = min(max(cap // PORTIONS, 1), MAX_PORTION)
        places = await self._commits.retry_while_away(
            lambda: reserve(self._storage, key, limit=cap, expiry=EXPIRY_SECONDS, wanted=wanted)
        )
        self._places[key] += places
        if not places:
            self._full.add(key)


def daily_caps(
    warm_up: WarmUp | None, storage: Storage, commits: GroupCommit, clock: Callable[[], datetime]
) -> DailyCaps | None:
    """The caps of a run, or None if there are none, so that no mail needs a look at them."""
    if warm_up is None or warm_up.cap(clock()) is None:
        return None
    return DailyCaps(warm_up, storage, commits)
