"""The fixed phrases of the pages, and the language in which a visitor sees them."""

from calendar import month_name
from datetime import date
from typing import assert_never

from fastapi import Request

from core.i18n import format_phrase, load_phrases
from core.languages import Language, TextLanguage

MAX_HEADER_CHARACTERS = 500


def translate(language: TextLanguage, phrase: str, /, **values: object) -> str:
    """A phrase with its braces filled in.

    Raises:
        KeyError: there is no such phrase, or a brace has no value.
    """
    return format_phrase(load_phrases("paperboy.web", language), phrase, values)


def format_day(language: TextLanguage, day: date) -> str:
    """A day as people write it."""
    return translate(language, "day", year=day.year, month=_month(language, day), day=day.day)


def _month(language: TextLanguage, day: date) -> str:
    match language:
        case TextLanguage.KO:
            return str(day.month)
        case TextLanguage.EN:
            return month_name[day.month]
        case _:
            assert_never(language)


def page_language(request: Request, subscriber_language: Language | None = None) -> TextLanguage:
    """The language that the address asks for, else the subscriber's own, else the browser's; Korean by default."""
    asked = request.query_params.get("lang", "")
    if asked in list(TextLanguage):
        return TextLanguage(asked)
    if subscriber_language and len(subscriber_language.texts) == 1:
        return subscriber_language.frame
    return _preferred(request.headers.get("accept-language", ""))


def _preferred(header: str) -> TextLanguage:
    """The language that the header prefers (RFC 9110, 12.5.4)."""
    qualities = dict.fromkeys(TextLanguage, 0.0)
    for choice in header[:MAX_HEADER_CHARACTERS].split(","):
        name, _, quality = choice.strip().partition(";")
        language = name.strip().lower().partition("-")[0]
        if language in list(TextLanguage):
            known = TextLanguage(language)
            qualities[known] = max(qualities[known], _quality(quality))
    return max(TextLanguage, key=lambda language: qualities[language])  # of equals, the first one


def _quality(text: str) -> float:
    try:
        return float(text.strip().removeprefix("q=") or 1)
    except ValueError:
        return 0.0
