"""The fixed phrases of the mails, from `emails/locale`."""

from calendar import month_abbr, month_name
from datetime import date

from core.i18n import format_phrase, load_phrases
from core.languages import Language, TextLanguage


def phrases(language: Language | TextLanguage) -> dict[str, str]:
    """All phrases of a language; for both languages, those of the language that frames the mail."""
    return load_phrases("emails", language.frame if isinstance(language, Language) else language)


def translate(language: Language | TextLanguage, phrase: str, /, **values: object) -> str:
    """A phrase with its braces filled in; for a `count` of 1 its singular, where the language has one.

    Raises:
        KeyError: the language has no such phrase, or a brace has no value.
    """
    return format_phrase(phrases(language), phrase, values)


def date_values(start: date, end: date) -> dict[str, object]:
    """The values that phrases about a week can use: `start_month`, `end_day`, …"""
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
