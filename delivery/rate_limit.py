"""Flow control: how fast a run sends in all, and to mail domains that ask it to slow down.

A domain that says "later" (4xx at RCPT or after the text) gets one mail in an interval that doubles each
time and shrinks with every mail taken; it is kept in the database, across runs and senders.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from limits import RateLimitItemPerHour
from limits.storage import Storage
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.database import upsert
from delivery.models import Pace
from delivery.transport.smtp.replies import Refusal

FIRST_INTERVAL = 1.0  # seconds between two mails to a domain that said "later" once
LONGEST_INTERVAL = 300.0
RECOVERY = 0.8  # of the interval is left after a mail taken
GONE = 0.05  # seconds; a shorter interval is none


@dataclass(frozen=True)
class Speed:
    """How many connections a run opens, and how many mails it sends at most (0: as many as it can).

    `per_second` is for each sender, `per_hour` for all of them together.
    """

    connections: int = 1
    per_second: int = 0
    per_hour: int = 0


class Metronome:
    """Lets a number of mails pass in a second."""

    def __init__(self, per_second: int) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next = 0.0

    @property
    def is_slow(self) -> bool:
        """Whether it keeps anything waiting."""
        return self._interval > 0

    async def beat(self) -> None:
        """Wait until the next mail may go."""
        if not self.is_slow:
            return
        now = asyncio.get_running_loop().time()
        self._next = max(self._next + self._interval, now)
        await asyncio.sleep(self._next - now)


class Quota:
    """Counts the mails of an hour, of all senders: first counted, then claimed, so that no two take the
    same ones."""

    def __init__(self, storage: Storage, per_hour: int) -> None:
        self._item = RateLimitItemPerHour(per_hour) if per_hour else None
        self._storage = storage

    def take(self, most: int) -> int:
        """Count as many of `most` mails as the hour has left, and say how many these are."""
        if self._item is None:
            return most
        too_many = min(max(self._add(self._item, most) - self._item.amount, 0), most)
        self.give_back(too_many)
        return most - too_many

    def give_back(self, mails: int) -> None:
        """Mails were counted that are not sent now."""
        if self._item and mails:
            self._add(self._item, -mails)

    def _add(self, item: RateLimitItemPerHour, mails: int) -> int:
        return self._storage.incr(item.key_for("mails"), item.get_expiry(), mails)


class Domains:
    """The mail domains that a run has to be slow with."""

    def __init__(self) -> None:
        self._paces: dict[str, tuple[float, datetime]] = {}
        self._changed: set[str] = set()

    def read(self, session: Session, _hold: object, _now: datetime) -> None:
        """What earlier runs learned."""
        self._paces = {pace.domain: (pace.interval, pace.next_at) for pace in session.scalars(select(Pace))}

    def write(self, session: Session, _hold: object, _now: datetime) -> None:
        """Keep what this run learned."""
        for domain in sorted(self._changed):  # in order, so that no two senders wait for each other
            if domain not in self._paces:
                session.execute(delete(Pace).where(Pace.domain == domain))
                continue
            interval, next_at = self._paces[domain]
            pace = upsert(session, Pace).values(domain=domain, interval=interval, next_at=next_at)
            kept = {"interval": pace.excluded.interval, "next_at": pace.excluded.next_at}
            session.execute(pace.on_conflict_do_update(index_elements=[Pace.domain], set_=kept))

    def written(self) -> None:
        """What this run learned is kept."""
        self._changed.clear()

    @property
    def has_changed(self) -> bool:
        """Whether there is something to keep."""
        return bool(self._changed)

    def later(self, address: str, now: datetime) -> datetime | None:
        """When a mail to the address may go, if not now."""
        pace = self._paces.get(_domain(address)) if self._paces else None
        if pace and now < pace[1] <= now + timedelta(seconds=LONGEST_INTERVAL):  # else the clock was set back
            return pace[1]
        return None

    def take_turn(self, address: str, now: datetime) -> None:
        """A mail to the address goes now."""
        domain = _domain(address) if self._paces else ""
        if domain in self._paces:
            interval, _ = self._paces[domain]
            self._paces[domain] = (interval, now + timedelta(seconds=interval))

    def taken(self, address: str) -> None:
        """A mail went through."""
        domain = _domain(address) if self._paces else ""
        if domain in self._paces:
            interval, next_at = self._paces.pop(domain)
            if interval * RECOVERY > GONE:
                self._paces[domain] = (interval * RECOVERY, next_at)
            self._changed.add(domain)

    def refused(self, address: str, refusal: Refusal, now: datetime) -> None:
        """The server said something else; slow down if it was "later"."""
        if not (400 <= refusal.code < 500 and refusal.phase in {"rcpt", "ack"}):
            return
        domain = _domain(address)
        interval = min(self._paces.get(domain, (FIRST_INTERVAL / 2, now))[0] * 2, LONGEST_INTERVAL)
        self._paces[domain] = (interval, now + timedelta(seconds=interval))
        self._changed.add(domain)


def slow_domains(session: Session) -> tuple[int, float]:
    """How many domains asked us to slow down, and the longest interval of one in seconds."""
    count, longest = session.execute(select(func.count(), func.max(Pace.interval))).one()
    return count, longest or 0.0


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
