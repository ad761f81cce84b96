"""`paperboy digest` and `paperboy preview`: what is sent, and how it looks."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.details import Detail
from core.errors import RunFailedError
from core.frequencies import Frequency
from core.languages import Language
from core.slots import preview_slot
from paperboy.cli.installation import open_installation
from paperboy.cli.options import Json, Now, issue_name, member, names_of, now_or, parse_now, show

if TYPE_CHECKING:
    from delivery.progress import Progress
    from delivery.report import DigestReport
    from emails.content import MailSpec


def digest(
    frequency: Annotated[str, typer.Argument(metavar="|".join(Frequency), help="Whose digest.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan and send nothing; say what would go out.")
    ] = False,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Read the feed, then plan and send the digest of the current slot."""
    if frequency not in list(Frequency):
        raise typer.BadParameter(f"{frequency!r} is not one of {', '.join(Frequency)}")
    report = _run(Frequency(frequency), dry_run, parse_now(now))
    print_report(report, as_json)


def _run(frequency: Frequency, dry_run: bool, now: datetime | None) -> "DigestReport":
    from flows.operations import probe_first
    from mailings.context import identity_from, intake_rules_from, open_sending_context, rules_from
    from mailings.digest_run import preview_digest, run_digest
    from mailings.intake import read_news
    from monitoring.heartbeat import send_heartbeat

    settings, database = open_installation(waits=not dry_run)
    local_now, rules = settings.local(now_or(now)), rules_from(settings)
    if dry_run:
        return preview_digest(
            database.sessions,
            frequency,
            identity=identity_from(settings),
            local_now=local_now,
            rules=rules,
        )
    news = read_news(database.sessions, settings.feed_url, intake_rules_from(settings), now_or(now))
    probe_first(settings, database, frequency)
    with progress_bar() as progress, open_sending_context(settings, database, now) as context:
        report = run_digest(
            context, frequency, local_now=local_now, rules=rules, feed=news.fault, progress=progress
        )
    send_heartbeat(settings.heartbeat_url, report.line(), report.fault)
    return report


def preview(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write to.")],
    issue: Annotated[
        str | None,
        typer.Argument(
            metavar="ISSUE", help="First day of the week or topic id; with --all the newest by default."
        ),
    ] = None,
    language: Annotated[str | None, typer.Option(help=f"{names_of(Language)}.")] = None,
    frequency: Annotated[str | None, typer.Option(help=f"{names_of(Frequency)}.")] = None,
    detail: Annotated[str | None, typer.Option(help=f"{names_of(Detail)}; full by default.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every kind of mail, with an index page to compare them.")
    ] = False,
    now: Now = None,
) -> None:
    """Write a mail of an issue, or every kind of mail, as .html, .txt and .eml."""
    if everything:
        if language or frequency or detail:
            raise typer.BadParameter("comes without --language, --frequency and --detail", param_hint="--all")
        typer.echo(_preview_all(issue and issue_name(issue), out, now_or(parse_now(now))))
        return
    from emails.content import MailSpec

    if not (issue and language and frequency):
        raise typer.BadParameter("give ISSUE, --language and --frequency, or --all")
    spec = MailSpec(
        preview_slot(frequency),
        member("language", language, Language),
        member("frequency", frequency, Frequency),
        detail=member("detail", detail or Detail.FULL, Detail),
    )
    for path in _preview(issue_name(issue), spec, out, now_or(parse_now(now))):
        typer.echo(path)


def _preview(name: str, spec: "MailSpec", out: Path, now: datetime) -> list[Path]:
    """Write the first mail of an issue as `spec` says, in three forms. Returns the paths."""
    from emails.choose import editions_of_issue
    from issues.queries import find, papers_in_issue
    from mailings.context import identity_from
    from monitoring.previews import detail_suffix, edition_preview
    from paperboy.cli.preview_files import write_preview

    settings, database = open_installation()
    with database.sessions() as session:
        issue = find(session, name)
        papers = papers_in_issue(issue)
    edition = editions_of_issue(papers, spec, daily_papers=settings.daily_papers)[0]
    stem = f"{issue.week_start}-{spec.language}-{spec.frequency}{detail_suffix(spec.detail)}"
    return write_preview(edition_preview(edition, stem, identity_from(settings), now), out)


def _preview_all(name: str | None, out: Path, now: datetime) -> Path:
    """Write every kind of mail with an issue's papers (by default the newest issue's). Returns the index page."""
    from issues.queries import find, newest, papers_in_issue
    from mailings.context import identity_from
    from monitoring.previews import issue_previews, letter_previews
    from paperboy.cli.preview_files import write_all

    settings, database = open_installation()
    identity = identity_from(settings)
    with database.sessions() as session:
        papers = papers_in_issue(find(session, name) if name else newest(session))
    with_papers = issue_previews(papers, identity, now, settings.daily_papers)
    return write_all(chain(with_papers, letter_previews(identity, now)), out)


@contextmanager
def progress_bar() -> "Iterator[Progress]":
    """A progress bar that disappears at the end, or none if nobody looks."""
    from rich.console import Console
    from rich.progress import Progress as ProgressBar

    bar = ProgressBar(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    with bar:
        task = bar.add_task("mails", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def print_report(report: "DigestReport", as_json: bool) -> None:
    """Print the report of a run that sends.

    Raises:
        RunFailedError: the run must count as failed.
    """

    def print_lines() -> None:
        if report.feed:
            typer.echo(f"The feed was not read before: {report.feed}")
        typer.echo(report.line())
        for reason, count in report.reasons.items():
            typer.echo(f"  skipped {count}: {reason}")
        for edition in report.editions:
            kind = f"{edition['language']}, {edition['detail']}"
            size = f"{edition['bytes']} bytes, {edition['fill']:.0%} of the limit"
            typer.echo(f"  {edition['readers']} x {kind}: {edition['subject']} ({size})")

    show(report.as_json(), as_json, print_lines)
    if report.fault:
        raise RunFailedError(report.fault)
