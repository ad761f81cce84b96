"""How often subscribers get a digest, and what a digest of each frequency brings."""

from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import assert_never

DIGEST_TIME = time(8)  # local time of the schedules in prefect.yaml


class Frequency(StrEnum):
    """How often a subscriber gets a digest."""

    WEEKLY = "weekly"
    DAILY = "daily"

    @property
    def interval(self) -> timedelta:
        """The time between two digests."""
        match self:
            case Frequency.WEEKLY:
                return timedelta(days=7)
            case Frequency.DAILY:
                return timedelta(days=1)
            case _:
                assert_never(self)

    def next_digest(self, local_now: datetime) -> datetime:
        """When the schedule runs the next digest after a local time: daily, or on Mondays."""
        today = local_now.replace(hour=DIGEST_TIME.hour, minute=DIGEST_TIME.minute, second=0, microsecond=0)
        days = (7 - local_now.weekday()) % 7 if self == Frequency.WEEKLY else 0
        candidate = today + timedelta(days=days)
        return candidate if candidate > local_now else candidate + self.interval

    @property
    def brings_whole_issues(self) -> bool:
        """Whether a digest brings everything that is unread, and not a portion of it."""
        match self:
            case Frequency.WEEKLY:
                return True
            case Frequency.DAILY:
                return False
            case _:
                assert_never(self)
