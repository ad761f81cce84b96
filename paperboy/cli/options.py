"""What the commands share: options, names of issues, and how a result is shown."""

import json
import sys
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from paperboy.cli.installation import zone


class FaultError(Exception):
    """A run that ended, but must count as failed."""


def moment(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise typer.BadParameter(
            f"{value!r} is no time like 2025-08-04T08:00+09:00", param_hint="--now"
        ) from None
    if not 2000 <= moment.year <= 2100:
        raise typer.BadParameter("must lie between the years 2000 and 2100", param_hint="--now")
    return moment if moment.tzinfo else moment.replace(tzinfo=zone())


Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
Now = Annotated[str | None, typer.Option("--now", metavar="ISO", help="Act as if it were this time.")]
IssueName = Annotated[
    str, typer.Argument(metavar="ISSUE", help="First day of the week (2025-07-28) or topic id.")
]
Language = Annotated[str, typer.Option(help="ko, en or both.")]
Frequency = Annotated[str, typer.Option(help="weekly or daily.")]


def show(value: Any, as_json: bool, lines: Callable[[], None]) -> None:
    if as_json:
        typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
    else:
        lines()


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def issue_name(name: str) -> str:
    try:
        is_topic = name.isdecimal() and len(name) <= 18
        return name if is_topic else date.fromisoformat(name).isoformat()
    except ValueError:
        raise typer.BadParameter(f"{name!r} is neither a day like 2025-07-28 nor a topic id") from None


def one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed)}", param_hint=f"--{option}")
