"""What the commands share: options, how their values are parsed, and how a result is shown."""

import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language

MIN_YEAR, MAX_YEAR = 2000, 2100  # of --now
PIPE_WIDTH = 140  # columns of a table that is not shown on a terminal


def names_of(members: type[StrEnum]) -> str:
    """The names of all members, as a sentence lists them: `ko, en or both`."""
    *others, last = members
    return f"{', '.join(others)} or {last}"


Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
Now = Annotated[str | None, typer.Option("--now", metavar="ISO", help="Act as if it were this time.")]
IssueName = Annotated[
    str, typer.Argument(metavar="ISSUE", help="First day of the week (2025-07-28) or topic id.")
]
Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The subscriber's address.")]
LanguageName = Annotated[str, typer.Option("--language", help=f"{names_of(Language)}.")]
FrequencyName = Annotated[str, typer.Option("--frequency", help=f"{names_of(Frequency)}.")]
DetailName = Annotated[str, typer.Option("--detail", help=f"{names_of(Detail)}.")]

Member = TypeVar("Member", bound=StrEnum)


def parse_now(value: str | None, option: str = "--now") -> datetime | None:
    """The time that an option gives, in the time zone of the settings if it has none, or None without the option."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise typer.BadParameter(
            f"{value!r} is not a time like 2025-08-04T08:00+09:00", param_hint=option
        ) from None
    if not MIN_YEAR <= moment.year <= MAX_YEAR:
        raise typer.BadParameter(f"must be between the years {MIN_YEAR} and {MAX_YEAR}", param_hint=option)
    if moment.tzinfo:
        return moment
    from core.settings import load_settings

    return moment.replace(tzinfo=load_settings().zone)


def now_or(now: datetime | None) -> datetime:
    """The given time, or the present."""
    return now or datetime.now(UTC)


def issue_name(name: str) -> str:
    """The name of an issue in its normal form."""
    try:
        is_topic = name.isdecimal() and len(name) <= 18
        return name if is_topic else date.fromisoformat(name).isoformat()
    except ValueError:
        raise typer.BadParameter(f"{name!r} is neither a day like 2025-07-28 nor a topic id") from None


def member(option: str, value: str, members: type[Member]) -> Member:
    """The member that an option names."""
    try:
        return members(value)
    except ValueError:
        names = ", ".join(members)
        raise typer.BadParameter(f"{value!r} is not one of {names}", param_hint=f"--{option}") from None


def show(value: Any, as_json: bool, print_lines: Callable[[], None]) -> None:
    """Print a result as JSON, or in lines for a person."""
    if as_json:
        typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
    else:
        print_lines()


def print_table(title: str, columns: list[str], rows: Iterable[list[str]]) -> None:
    """Print a table. Cells are plain text: what a server said can have brackets, which Rich would read as markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)
