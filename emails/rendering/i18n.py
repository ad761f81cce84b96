"""The fixed phrases of the mails, from `emails/locale`: one place, one function."""

from calendar import month_abbr, month_name
from datetime import date

from core.i18n import fill_in, read_phrases


def phrases(language: str) -> dict[str, str]:
    """All phrases of a language; a mail in both speaks Korean around its papers."""
    return read_phrases("emails", "ko" if language == "both" else language)


def say(language: str, phrase: str, /, **values: object) -> str:
    """A phrase with its braces filled in; for a `count` of 1 its singular, where the language has one.

    Raises:
        KeyError: the language has no such phrase, or a brace is not filled.
    """
    return fill_in(phrases(language), phrase, values)


def day_values(start: date, end: date) -> dict[str, object]:
    """What phrases about a week can name."""
    return {
        f"{edge}_{part}": value
        for edge, day in (("start", start), ("end", end))
        for part, value in (
            ("year", day.year),
            ("month", day.month),
            ("day", day.day),
            ("month_name", month_name[day.month]),
            ("month_short", month_abbr[day.month]),
        )
    }
