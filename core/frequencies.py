"""How often subscribers get a digest, and what a digest of each frequency brings."""

from datetime import timedelta
from enum import StrEnum
from typing import assert_never


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
