"""Fixed phrases of a package, from the TOML files in its folder `locale`."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files


@cache
def read_phrases(package: str, name: str) -> dict[str, str]:
    """All phrases of `locale/NAME.toml`; one inside a table is named with a dot: `farewell.subject`."""
    text = files(package).joinpath("locale", f"{name}.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(text)))


def fill_in(phrases: Mapping[str, str], phrase: str, values: Mapping[str, object]) -> str:
    """A phrase with its braces filled in; for a `count` of 1 its singular `…_one`, where there is one.

    Raises:
        KeyError: there is no such phrase, or a brace is not filled.
    """
    singular = f"{phrase}_one"
    chosen = singular if values.get("count") == 1 and singular in phrases else phrase
    return phrases[chosen].format_map(values)


def _flat(tables: Mapping[str, str | Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in tables.items():
        if isinstance(value, str):
            yield name, value
        else:
            yield from ((f"{name}.{inner}", phrase) for inner, phrase in value.items())
