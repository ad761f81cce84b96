"""Warm-up: how many mails of a new sending domain a large provider gets in a day, and how many wait for the next day."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case, func, literal, or_, select
from sqlalchemy.orm import Session

from core.frequencies import DIGEST_TIME
from delivery.models import Delivery
from delivery.providers import Provider
from delivery.rate_limit import MAX_INTERVAL_SECONDS
from delivery.states import DeliveryState
from subscribers.models import Subscriber

# Providers take a little more each day for steady sending, and a jump for the work of a spammer. Senders of bulk mail
# advise to send at most twice as much from one day to the next, so half as much again leaves room for days with many letters.
DAILY_GROWTH = 1.5
# By then, 200 mails have become millions, and providers judge a domain by about a month of its mails.
DAYS = 30
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class WarmUp:
    """The warm-up of a domain. Each large provider gets at most `first_cap` mails on the first day, by the clock in `zone`."""

    first_day: date
    first_cap: int
    zone: ZoneInfo

    @property
    def last_day(self) -> date:
        """The last day that has a cap."""
        return self.first_day + (DAYS - 1) * ONE_DAY

    def day(self, now: datetime) -> date:
        """The date of a moment, by which mails are counted."""
        return now.astimezone(self.zone).date()

    def number_of_day(self, now: datetime) -> int:
        """Which day of the warm-up it is: 1 on its first day and before."""
        return max((self.day(now) - self.first_day).days, 0) + 1

    def cap(self, now: datetime) -> int | None:
        """How many mails each large provider gets on this day, or None when the warm-up is over."""
        number = self.number_of_day(now)
        return int(self.first_cap * DAILY_GROWTH ** (number - 1)) if number <= DAYS else None

    def next_morning(self, now: datetime) -> datetime:
        """When mails above the cap are due again: on the next day, at the time of digests."""
        return datetime.combine(self.day(now) + ONE_DAY, DIGEST_TIME, self.zone).astimezone(UTC)


def waiting_lines(session: Session, warm_up: WarmUp | None, now: datetime, queue: str | None) -> list[str]:
    """A sentence for each provider whose mails wait for a later day, in one queue or in all."""
    cap = warm_up.cap(now) if warm_up else None
    if cap is None:
        return []
    return [
        f"{count} wait for the warm-up of {provider}: {cap} mails a day now"
        for provider, count in _count_waiting(session, now, queue)
    ]


def _count_waiting(session: Session, now: datetime, queue: str | None) -> list[tuple[str, int]]:
    """How many mails wait for a later day, by provider, the most first."""
    provider = case(*((_is_at(provider), literal(provider.value)) for provider in Provider), else_="")
    # No planned mail waits longer than for a throttled domain, unless for the warm-up.
    later = now + timedelta(seconds=MAX_INTERVAL_SECONDS)
    rows = (
        select(provider.label("provider"), func.count())
        .select_from(Delivery)
        .join(Subscriber)
        .where(Delivery.due_at > later, Delivery.state == DeliveryState.PLANNED)
        .group_by("provider")
        .order_by(func.count().desc(), "provider")
    )
    found = session.execute(rows.where(Delivery.queue == queue) if queue else rows)
    return [(name, count) for name, count in found if name]


def _is_at(provider: Provider) -> ColumnElement[bool]:
    return or_(*(func.lower(Subscriber.email).endswith(f"@{domain}") for domain in sorted(provider.domains)))
