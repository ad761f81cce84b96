"""Rate limits: how fast a sender goes, how many mails all senders send in an hour, and domains to be slow with.

A domain that says "later" (4xx at RCPT or after the text) is throttled: it gets one mail per interval. The interval
doubles each time and shrinks with every accepted mail. It is kept in the database, across runs and senders.
"""

import asyncio
from datetime import datetime, timedelta

from limits import RateLimitItemPerHour
from limits.storage import Storage
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.database import upsert
from core.rate_storage import reserve
from delivery.models import DomainPause

INITIAL_INTERVAL_SECONDS = 1.0  # between two mails to a domain that said "later" once
MAX_INTERVAL_SECONDS = 300.0
RECOVERY_FACTOR = 0.8  # by which the interval shrinks with an accepted mail
MIN_INTERVAL_SECONDS = 0.05  # below which a domain is not throttled any more


class RateLimiter:
    """Lets a number of mails pass per second."""

    def __init__(self, per_second: int) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next = 0.0

    @property
    def is_active(self) -> bool:
        """Whether there is a limit."""
        return self._interval > 0

    async def acquire(self) -> None:
        """Wait until the next mail may go."""
        if not self.is_active:
            return
        now = asyncio.get_running_loop().time()
        self._next = max(self._next + self._interval, now)
        await asyncio.sleep(self._next - now)


class HourlyQuota:
    """Counts the mails that all senders send in an hour.

    Mails are counted before they are claimed, so that no two senders use the same share of the quota.
    """

    def __init__(self, storage: Storage, per_hour: int) -> None:
        self._rate = RateLimitItemPerHour(per_hour) if per_hour else None
        self._storage = storage

    def reserve(self, wanted: int) -> int:
        """Count up to `wanted` mails. Returns how many of them the hour still allows."""
        if self._rate is None:
            return wanted
        rate = self._rate
        return reserve(
            self._storage, rate.key_for("mails"), limit=rate.amount, expiry=rate.get_expiry(), wanted=wanted
        )

    def give_back(self, mails: int) -> None:
        """Uncount mails that are not sent now."""
        if self._rate and mails:
            self._storage.incr(self._rate.key_for("mails"), self._rate.get_expiry(), -mails)


class DomainThrottle:
    """The mail domains that a run has to be slow with."""

    def __init__(self) -> None:
        self._pauses: dict[str, tuple[float, datetime]] = {}  # interval in seconds, and time of the next mail
        self._changed: set[str] = set()

    def load(self, session: Session) -> None:
        """Read what earlier runs learned."""
        rows = session.scalars(select(DomainPause))
        self._pauses = {row.domain: (row.interval, row.next_at) for row in rows}

    def save(self, session: Session) -> None:
        """Write what this run learned. Call `mark_saved` once the transaction has been committed."""
        for domain in sorted(self._changed):  # in the same order everywhere, so that no two senders deadlock
            if domain not in self._pauses:
                session.execute(delete(DomainPause).where(DomainPause.domain == domain))
                continue
            interval, next_at = self._pauses[domain]
            row = upsert(session, DomainPause).values(domain=domain, interval=interval, next_at=next_at)
            values = {"interval": row.excluded.interval, "next_at": row.excluded.next_at}
            session.execute(row.on_conflict_do_update(index_elements=[DomainPause.domain], set_=values))

    def mark_saved(self) -> None:
        """What this run learned is in the database."""
        self._changed.clear()

    @property
    def has_changed(self) -> bool:
        """Whether there is something to save."""
        return bool(self._changed)

    def next_allowed(self, address: str, now: datetime) -> datetime | None:
        """When a mail to the address may go, or None if it may go now."""
        pause = self._pauses.get(_domain(address)) if self._pauses else None
        if pause is None:
            return None
        _, next_at = pause
        # A time further ahead than any interval means that the clock was set back.
        is_ahead = now < next_at <= now + timedelta(seconds=MAX_INTERVAL_SECONDS)
        return next_at if is_ahead else None

    def reserve(self, address: str, now: datetime) -> None:
        """A mail to the address goes now, so the next one waits for the interval."""
        domain = _domain(address) if self._pauses else ""
        if domain in self._pauses:
            interval, _ = self._pauses[domain]
            self._pauses[domain] = (interval, now + timedelta(seconds=interval))

    def on_accepted(self, address: str) -> None:
        """A server accepted a mail to the address: the interval shrinks."""
        domain = _domain(address) if self._pauses else ""
        if domain in self._pauses:
            interval, next_at = self._pauses.pop(domain)
            if interval * RECOVERY_FACTOR > MIN_INTERVAL_SECONDS:
                self._pauses[domain] = (interval * RECOVERY_FACTOR, next_at)
            self._changed.add(domain)

    def on_busy(self, address: str, now: datetime) -> None:
        """A server asked to slow down with mails to the address: the interval doubles."""
        domain = _domain(address)
        before, _ = self._pauses.get(domain, (INITIAL_INTERVAL_SECONDS / 2, now))
        interval = min(before * 2, MAX_INTERVAL_SECONDS)
        self._pauses[domain] = (interval, now + timedelta(seconds=interval))
        self._changed.add(domain)


def throttled_domains(session: Session) -> tuple[int, float]:
    """How many domains are throttled, and the longest interval in seconds."""
    count, longest = session.execute(select(func.count(), func.max(DomainPause.interval))).one()
    return count, longest or 0.0


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
