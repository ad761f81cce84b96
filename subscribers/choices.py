"""What a subscriber chooses, as people and files write it: parsed into a language and a frequency."""

from core.frequencies import Frequency
from core.languages import Language
from subscribers.addresses import AccountError


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
