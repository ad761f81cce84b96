"""The part of the reference about settings: `core.settings`, in the order and the groups of docs/example.env."""

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from bench.reference.tables import code, table
from core.settings import PREFIX, Settings

CHECKS = {  # what the functions of core.setting_values take
    "database_url": "URL",
    "web_address": "web address",
    "plain_address": "mail address",
    "base_address": "web address without ? and #",
    "sender_address": "mail address, perhaps with a name",
    "checked": "one line",
    "timezone_name": "time zone",
    "iso_date": "date",
    "rates": "rates",
    "split_list": "list with commas",
    "split_names": "list with commas",
    "split_texts": "list with semicolons",
}
EXAMPLE = Path(__file__).parents[2] / "docs" / "example.env"


def text() -> str:
    """A table for each group."""
    parts = []
    for group, names in _groups():
        rows = ((code(f"{PREFIX}{name}".upper()), *_cells(Settings.model_fields[name])) for name in names)
        parts.append(f"## {group.capitalize()}\n\n{table(('setting', 'meaning', 'values', 'default'), rows)}")
    return "\n".join(parts)


def _groups() -> Iterator[tuple[str, list[str]]]:
    """The name of each group, and the names of its settings."""
    example = EXAMPLE.read_text("utf-8")
    for found in re.finditer(r"(?ms)^# --- (.+?) -+$(.*?)(?=^# ---|\Z)", example):
        names = [name.lower() for name in re.findall(rf"(?m)^#?{PREFIX}(\w+)=", found[2])]
        if names:  # other programs have settings, too
            yield found[1], names


def _cells(field: FieldInfo) -> tuple[str, str, str]:
    if not field.description:
        raise ValueError(f"a setting says nothing of what it is for: {field!r}")
    return field.description, _values(field), _default(field.default)


def _values(field: FieldInfo) -> str:
    """What a value may be, where its type or its check tells."""
    kind = field.annotation
    facts = {type(entry).__name__: entry for entry in field.metadata}
    if kind is bool:
        return "`true` or `false`"
    if kind is int:
        return f"{facts['Ge'].ge:,} to {facts['Le'].le:,}"
    if get_origin(kind) is Literal:
        return " or ".join(map(code, get_args(kind)))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return " or ".join(map(code, kind))
    checks = [entry.func.__name__ for entry in field.metadata if hasattr(entry, "func")]
    parts = [CHECKS[check] for check in checks]
    if "SecretStr" in repr(kind):
        parts.append("secret")
    if "MinLen" in facts:
        parts.append(f"at least {facts['MinLen'].min_length} characters")
    if "Path" in repr(kind) and not checks:
        parts.append("path")
    return ", ".join(parts)


def _default(value: object) -> str:
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, tuple):
        return code(", ".join(map(str, value)))
    return code(str(value).lower() if isinstance(value, bool) else value)
