"""The fixed phrases of the mails, from `emails/locale`: one place, one function."""

import tomllib
from calendar import month_abbr, month_name
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from importlib.resources import files


@cache
def phrases(language: str) -> dict[str, str]:
    """All phrases of a language; a mail in both speaks Korean around its papers."""
    name = "ko" if language == "both" else language
    tables = tomllib.loads((files("emails") / "locale" / f"{name}.toml").read_text(encoding="utf-8"))
    return dict(_flat(tables))


def _flat(tables: Mapping[str, str | Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in tables.items():
        if isinstance(value, str):
            yield name, value
        else:
            yield from ((f"{name}.{inner}", phrase) for inner, phrase in value.items())


def say(language: str, phrase: str, /, **values: object) -> str:
    """A phrase with its braces filled in; for a `count` of 1 its singular, where the language has one.

    A phrase of a table in the file is named with a dot: `farewell.subject`.

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
            ("month_short", month_abbr[day.month]),
        )
    }
