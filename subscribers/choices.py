"""What a subscriber chooses, and how it is parsed from what people and files write."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from subscribers.addresses import AccountError

PAUSE_WEEKS = (2, 4, 8)  # of the pauses that have a button
MAX_PAUSE = timedelta(days=366)

Choice = TypeVar("Choice", Language, Frequency, Detail)


@dataclass(frozen=True)
class Choices:
    """What somebody wants to get."""

    language: Language
    frequency: Frequency
    detail: Detail = Detail.FULL


def may_end_pause(day: date, today: date) -> bool:
    """Whether a pause that begins today can end on a day, after today and within MAX_PAUSE."""
    return today < day <= today + MAX_PAUSE


def parse_choice(kind: type[Choice], text: str) -> Choice:
    """The language, frequency or detail with this name.

    Raises:
        AccountError: there is none with this name.
    """
    try:
        return kind(text)
    except ValueError:
        raise AccountError(f"{kind.__name__.lower()} {text!r} is not one of {', '.join(kind)}") from None
