"""The fixed phrases of the mails, from `emails/locale`: one place, one function."""

import tomllib
from calendar import month_name
from datetime import date
from functools import cache
from importlib.resources import files


@cache
def phrases(language: str) -> dict[str, str]:
    """All phrases of a language; a mail in both speaks Korean around its papers."""
    name = "ko" if language == "both" else language
    return tomllib.loads((files("emails") / "locale" / f"{name}.toml").read_text(encoding="utf-8"))


def say(language: str, phrase: str, **values: object) -> str:
    """A phrase with its braces filled in; for a `count` of 1 its singular, where the language has one.

    Raises:
        KeyError: the language has no such phrase, or a brace is not filled.
    """
    known = phrases(language)
    singular = f"{phrase}_one"
    chosen = singular if values.get("count") == 1 and singular in known else phrase
    return known[chosen].format_map(values)


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
        )
    }
