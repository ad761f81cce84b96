"""`paperboy upkeep`: by hand what the schedule does between digests."""

from datetime import datetime
from typing import TYPE_CHECKING

import typer

from core.errors import RunFailedError
from paperboy.cli.installation import open_installation
from paperboy.cli.options import Json, Now, parse_now, show

if TYPE_CHECKING:
    from mailings.upkeep import UpkeepReport


def upkeep(now: Now = None, as_json: Json = False) -> None:
    """Send what is due again and issues that came late, answer and drop sign-ups, end pauses.

    The schedule does the same every quarter of an hour.
    """
    from flows.operations import upkeep_result

    report = _run(parse_now(now))

    def print_lines() -> None:
        typer.echo(", ".join(f"{count} {what}" for what, count in report.counts.items()))
        for sent in (report.retries, *report.late):
            typer.echo(sent.line())

    show(upkeep_result(report), as_json, print_lines)
    if report.fault:
        raise RunFailedError(report.fault)


def _run(now: datetime | None) -> "UpkeepReport":
    from flows.operations import whole_upkeep

    settings, database = open_installation()
    return whole_upkeep(settings, database, now)
