"""The fixed phrases of the pages, and the language that a visitor reads them in."""

from calendar import month_name
from datetime import date

from fastapi import Request

from core.i18n import fill_in, read_phrases

LANGUAGES = ("ko", "en")


def say(language: str, phrase: str, /, **values: object) -> str:
    """A phrase with its braces filled in.

    Raises:
        KeyError: there is no such phrase, or a brace is not filled.
    """
    return fill_in(read_phrases("paperboy.web", language), phrase, values)


def spell_day(language: str, day: date) -> str:
    """A day as people write it."""
    month = month_name[day.month] if language == "en" else day.month
    return say(language, "day", year=day.year, month=month, day=day.day)


def language_of(request: Request, reader_language: str = "") -> str:
    """The page's language: as asked for, else the reader's one, else the browser's; Korean first."""
    asked = request.query_params.get("lang", "")
    if asked in LANGUAGES:
        return asked
    if reader_language in LANGUAGES:
        return reader_language
    return _preferred(request.headers.get("accept-language", ""))


def _preferred(header: str) -> str:
    """The better liked of our languages (RFC 9110, 12.5.4)."""
    likes = {"ko": 0.0, "en": 0.0}
    for choice in header[:500].split(","):
        name, _, quality = choice.strip().partition(";")
        language = name.strip().lower().partition("-")[0]
        if language in likes:
            likes[language] = max(likes[language], _quality(quality))
    return "en" if likes["en"] > likes["ko"] else "ko"


def _quality(text: str) -> float:
    try:
        return float(text.strip().removeprefix("q=") or 1)
    except ValueError:
        return 0.0
