"""What a subscriber chooses, and how it is parsed from what people and files write."""

from dataclasses import dataclass

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from subscribers.addresses import AccountError


@dataclass(frozen=True)
class Choices:
    """What somebody wants to get."""

    language: Language
    frequency: Frequency
    detail: Detail = Detail.FULL


def parse_language(text: str) -> Language:
    """The language with this name.

    Raises:
        AccountError: there is no such language.
    """
    try:
        return Language(text)
    except ValueError:
        raise AccountError(f"language {text!r} is not one of {', '.join(Language)}") from None


def parse_frequency(text: str) -> Frequency:
    """The frequency with this name.

    Raises:
        AccountError: there is no such frequency.
    """
    try:
        return Frequency(text)
    except ValueError:
        raise AccountError(f"frequency {text!r} is not one of {', '.join(Frequency)}") from None


def parse_detail(text: str) -> Detail:
    """The detail with this name.

    Raises:
        AccountError: there is no such detail.
    """
    try:
        return Detail(text)
    except ValueError:
        raise AccountError(f"detail {text!r} is not one of {', '.join(Detail)}") from None
