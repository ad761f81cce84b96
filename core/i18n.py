"""The message catalogue: fixed phrases of a package, from the TOML files in its folder `locale`."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from core.languages import TextLanguage


@cache
def load_phrases(package: str, language: TextLanguage) -> dict[str, str]:
    """All phrases of `locale/LANGUAGE.toml`. A phrase inside a table has a dotted name: `farewell.subject`."""
    text = files(package).joinpath("locale", f"{language}.toml").read_text(encoding="utf-8")
    return dict(_flatten(tomllib.loads(text)))


def format_phrase(phrases: Mapping[str, str], name: str, values: Mapping[str, object]) -> str:
    """A phrase with its braces filled in. With a `count` of 1 it is the singular `NAME_one`, if there is one.

    Raises:
        KeyError: there is no such phrase, or a brace has no value.
    """
    singular = f"{name}_one"
    chosen = singular if values.get("count") == 1 and singular in phrases else name
    return phrases[chosen].format_map(values)


def _flatten(tables: Mapping[str, str | Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in tables.items():
        if isinstance(value, str):
            yield name, value
        else:
            yield from ((f"{name}.{inner}", phrase) for inner, phrase in value.items())
