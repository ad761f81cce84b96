"""`paperboy digest` and `preview`: what goes out."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress as ProgressBar

from delivery.progress import Progress
from delivery.report import DigestReport
from paperboy.cli.options import FaultError, Json, Now, issue_name, moment, one_of, show
from paperboy.reports import mails as reports
from subscribers.models import FREQUENCIES, LANGUAGES


def digest(
    frequency: Annotated[str, typer.Argument(metavar="weekly|daily")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan and send nothing; say what would go out.")
    ] = False,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Plan and send the digest of the current slot."""
    if frequency not in FREQUENCIES:
        raise typer.BadParameter(f"{frequency!r} is neither weekly nor daily")
    with progress_bar() as progress:
        report = reports.digest(frequency, dry_run, moment(now), progress)
    report_run(report, as_json)


def preview(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write to.")],
    issue: Annotated[
        str | None, typer.Argument(metavar="ISSUE", help="As elsewhere; with --all the newest by default.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="ko, en or both.")] = None,
    frequency: Annotated[str | None, typer.Option(help="weekly or daily.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every kind of mail, with an index page to compare them.")
    ] = False,
    now: Now = None,
) -> None:
    """Write a mail of an issue, or every kind of mail, as .html, .txt and .eml."""
    if everything:
        if language or frequency:
            raise typer.BadParameter("comes without --language and --frequency", param_hint="--all")
        typer.echo(reports.preview_all(issue and issue_name(issue), out, moment(now)))
        return
    if not (issue and language and frequency):
        raise typer.BadParameter("give ISSUE, --language and --frequency, or --all")
    one_of("language", language, LANGUAGES)
    one_of("frequency", frequency, FREQUENCIES)
    for path in reports.preview(issue_name(issue), language, frequency, out, moment(now)):
        typer.echo(path)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on the terminal, gone when all is done; nothing where nobody looks."""
    bar = ProgressBar(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    with bar:
        task = bar.add_task("mails", total=None)
        yield lambda done, planned: bar.update(task, completed=done, total=planned)


def report_run(report: DigestReport, as_json: bool) -> None:
    def lines() -> None:
        typer.echo(report.line())
        for reason, count in report.reasons.items():
            typer.echo(f"  skipped {count}: {reason}")
        for edition in report.editions:
            typer.echo(
                f"  {edition['readers']} x {edition['language']}: {edition['subject']} ({edition['bytes']} bytes, {edition['fill']:.0%} of the limit)"
            )

    show(report.as_json(), as_json, lines)
    if report.fault:
        raise FaultError(report.fault)
