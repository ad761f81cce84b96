"""The `paperboy` command: reads settings, calls one function of the packages below, reports."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress as ProgressBar
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from core.database import DatabaseError
from core.settings import SettingsError
from emails.edition import EmptyIssueError
from emails.render import RenderError
from emails.report import DigestReport
from emails.sending import Progress
from emails.signing import SigningError
from emails.transport import AddressError
from issues.feed import FeedError
from issues.store import StoreError
from paperboy import reports
from subscribers.accounts import AccountError
from subscribers.models import FREQUENCIES, LANGUAGES
from subscribers.sheets import SheetError, write_private
from subscribers.transfer import Refusal

app = typer.Typer(
    help="Newsletter pipeline and scheduled mailer for weekly paper posts.", no_args_is_help=True
)
issues_app = typer.Typer(help="What was published.", no_args_is_help=True)
subscribers_app = typer.Typer(help="Who reads.", no_args_is_help=True)
app.add_typer(issues_app, name="issues")
app.add_typer(subscribers_app, name="subscribers")

EXPECTED = (
    SettingsError,
    DatabaseError,
    FeedError,
    StoreError,
    AccountError,
    SheetError,
    AddressError,
    SigningError,
    EmptyIssueError,
    RenderError,
)


class FaultError(Exception):
    """A run that ended, but must count as failed."""


def _moment(value: str | None) -> datetime | None:
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
    return moment if moment.tzinfo else moment.replace(tzinfo=reports.zone())


Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
Now = Annotated[str | None, typer.Option("--now", metavar="ISO", help="Act as if it were this time.")]
IssueName = Annotated[
    str, typer.Argument(metavar="ISSUE", help="First day of the week (2025-07-28) or topic id.")
]
Language = Annotated[str, typer.Option(help="ko, en or both.")]
Frequency = Annotated[str, typer.Option(help="weekly or daily.")]


def _print(value: Any, as_json: bool, lines: Callable[[], None]) -> None:
    if as_json:
        typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))
    else:
        lines()


def _table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


@app.command()
def migrate() -> None:
    """Make or update the tables of the database."""
    typer.echo(f"The database is at version {reports.migrate()}.")


@app.command()
def ingest(
    feed: Annotated[
        str | None, typer.Option(metavar="URL", help="A feed other than PAPERBOY_FEED_URL.")
    ] = None,
    topic: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A topic's address, for posts that left the feed.")
    ] = None,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Read the feed (or only the topics named) and store what is new."""
    report = reports.ingest(feed, topic or [], _moment(now))

    def lines() -> None:
        typer.echo(report.line())
        for entry in report.held:
            typer.echo(f"held: {entry['issue']}: {'; '.join(entry['reasons'])}")

    _print(asdict(report), as_json, lines)


@issues_app.command("list")
def list_issues(as_json: Json = False) -> None:
    """All issues, the newest first."""
    entries = reports.list_issues()
    rows = [[e["week_start"], str(e["topic_id"]), e["state"], str(e["papers"]), e["title"]] for e in entries]
    _print(entries, as_json, lambda: _table("Issues", ["week", "topic", "state", "papers", "title"], rows))


@issues_app.command("show")
def show_issue(issue: IssueName, as_json: Json = False) -> None:
    """One issue with its papers."""
    value = reports.show_issue(_issue_name(issue))

    def lines() -> None:
        typer.echo(f"{value['title']}\n{value['url']}  revision {value['revision']}")
        for reason in value["held"]:
            typer.echo(f"held: {reason}")
        for number, paper in enumerate(value["papers"], 1):
            typer.echo(f"{number:>3}. {paper['title_ko']} / {paper['title_en']}\n     {paper['url']}")

    _print(value, as_json, lines)


@issues_app.command("release")
def release_issue(issue: IssueName, now: Now = None) -> None:
    """Put a held issue in force as it is."""
    typer.echo(f"Released: {reports.release_issue(_issue_name(issue), _moment(now))}")


def _issue_name(name: str) -> str:
    try:
        is_topic = name.isdecimal() and len(name) <= 18
        return name if is_topic else date.fromisoformat(name).isoformat()
    except ValueError:
        raise typer.BadParameter(f"{name!r} is neither a day like 2025-07-28 nor a topic id") from None


@subscribers_app.command("add")
def add_subscriber(
    email: str,
    language: Language,
    frequency: Frequency,
    name: Annotated[str, typer.Option(help="For the greeting.")] = "",
    confirmed: Annotated[bool, typer.Option("--confirmed", help="They have agreed already.")] = False,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Sign an address up; without --confirmed a mail asks its owner to confirm."""
    _one_of("language", language, LANGUAGES)
    _one_of("frequency", frequency, FREQUENCIES)
    value = reports.add_subscriber(email, language, frequency, name, confirmed, _moment(now))
    _print(
        value,
        as_json,
        lambda: typer.echo(f"{value['email']}: {value['language']}, {value['frequency']}, {value['status']}"),
    )


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(allowed)}", param_hint=f"--{option}")


@subscribers_app.command("list")
def list_subscribers(as_json: Json = False) -> None:
    """All subscribers."""
    entries = reports.list_subscribers()
    columns = ["id", "email", "language", "frequency", "status", "cursor"]
    rows = [[str(entry[column]) for column in columns] for entry in entries]
    _print(entries, as_json, lambda: _table("Subscribers", columns, rows))


@subscribers_app.command("show")
def show_subscriber(email: str, as_json: Json = False) -> None:
    """One subscriber and their deliveries."""
    value = reports.show_subscriber(email)

    def lines() -> None:
        typer.echo(
            f"{value['email']}: {value['language']}, {value['frequency']}, {value['status']}, cursor {value['cursor']}"
        )
        rows = [
            [d["slot"], d["state"], str(d["papers"]), d["subject"], d["reply"]] for d in value["deliveries"]
        ]
        _table("Deliveries", ["slot", "state", "papers", "subject", "reply"], rows)

    _print(value, as_json, lines)


@subscribers_app.command("import")
def import_subscribers(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with email, language, frequency.")],
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Take readers over who agreed elsewhere; no mail is sent. Repeating it does no harm.

    The first line names the columns: email, language and frequency, and perhaps name, confirmed_at,
    status (active or paused) and paused_until. Known addresses stay as they are.
    """
    if as_json:
        _import_as_json(file, _moment(now))
        return
    report = reports.import_subscribers(
        file, _moment(now), lambda refusal: typer.echo(f"line {refusal.line}: {refusal.reason}")
    )
    typer.echo(f"{report.added} added, {report.known} known already, {report.refused} refused")


def _import_as_json(file: Path, now: datetime | None) -> None:
    """Write one JSON object, refusal by refusal: a file can have more of them than memory holds."""
    before = '{"refused": ['

    def on_refusal(refusal: Refusal) -> None:
        nonlocal before
        typer.echo(f"{before}\n  {json.dumps(asdict(refusal), ensure_ascii=False)}", nl=False)
        before = ","

    report = reports.import_subscribers(file, now, on_refusal)
    begin = "\n]" if report.refused else f"{before}]"
    typer.echo(f'{begin}, "added": {report.added}, "known": {report.known}}}')


@subscribers_app.command("export")
def export_subscribers(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to; standard output without it.")
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--all", help="Also those who never confirmed, left or could not be reached.")
    ] = False,
) -> None:
    """Write the readers as CSV, for import or a spreadsheet."""
    lines = reports.export_subscribers(everyone)
    if file is None:
        out = typer.get_binary_stream("stdout")
        for line in lines:
            out.write(line.encode())
    else:
        typer.echo(f"{write_private(file, lines) - 1} subscribers in {file}")


@subscribers_app.command("forget")
def forget_subscriber(email: str, now: Now = None, as_json: Json = False) -> None:
    """Erase a subscriber with all that is stored of them, at once and for good."""
    value = reports.forget_subscriber(email, _moment(now))
    line = (
        f"Erased {value['email']} (events: {value['events']}, mails: {value['mails']}). "
        "A keyed hash of the address stays, so that no import brings it back."
    )
    _print(value, as_json, lambda: typer.echo(line))


@app.command()
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
    with _progress_bar() as progress:
        report = reports.digest(frequency, dry_run, _moment(now), progress)
    _report(report, as_json)


@app.command()
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
        typer.echo(reports.preview_all(issue and _issue_name(issue), out, _moment(now)))
        return
    if not (issue and language and frequency):
        raise typer.BadParameter("give ISSUE, --language and --frequency, or --all")
    _one_of("language", language, LANGUAGES)
    _one_of("frequency", frequency, FREQUENCIES)
    for path in reports.preview(_issue_name(issue), language, frequency, out, _moment(now)):
        typer.echo(path)


@app.command()
def resend(
    issue: IssueName,
    to: Annotated[str, typer.Option(metavar="EMAIL", help="An active subscriber's address.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing; say what would go out.")] = False,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Send one reader a copy of a whole issue."""
    _report(reports.resend(_issue_name(issue), to, dry_run, _moment(now)), as_json)


@contextmanager
def _progress_bar() -> Iterator[Progress]:
    """A bar on the terminal, gone when all is done; nothing where nobody looks."""
    bar = ProgressBar(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    with bar:
        task = bar.add_task("mails", total=None)
        yield lambda done, planned: bar.update(task, completed=done, total=planned)


def _report(report: DigestReport, as_json: bool) -> None:
    def lines() -> None:
        typer.echo(report.line())
        for reason, count in report.reasons.items():
            typer.echo(f"  skipped {count}: {reason}")
        for edition in report.editions:
            typer.echo(
                f"  {edition['readers']} x {edition['language']}: {edition['subject']} ({edition['bytes']} bytes, {edition['fill']:.0%} of the limit)"
            )

    _print(report.as_json(), as_json, lines)
    if report.fault:
        raise FaultError(report.fault)


@app.command()
def status(as_json: Json = False) -> None:
    """Issues, subscribers, deliveries and the last runs."""
    value = reports.status()

    def lines() -> None:
        for name in ("issues", "subscribers", "deliveries"):
            typer.echo(
                f"{name}: " + (", ".join(f"{count} {kind}" for kind, count in value[name].items()) or "none")
            )
        rows = [[run["finished_at"], run["kind"], run["slot"] or "", run["line"]] for run in value["runs"]]
        _table("Last runs", ["finished", "kind", "slot", "result"], rows)

    _print(value, as_json, lines)


@app.command()
def web(
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen at.")] = 8000,
) -> None:
    """Serve the pages for readers: subscribe, preferences, unsubscribe, archive."""
    from paperboy.web.app import serve  # noqa: PLC0415  other commands need no web server

    serve(host, port)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the table.")] = False,
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Where the demo keeps its data.")] = Path(
        "var/demo"
    ),
    port: Annotated[int, typer.Option(help="The mailbox page's port.")] = 8025,
    web_port: Annotated[int, typer.Option(help="The port of the pages for readers.")] = 8000,
) -> None:
    """The whole pipeline on a sample forum, sample readers, an embedded mailbox and the pages."""
    from paperboy.demo import run_demo  # noqa: PLC0415  brings prefect, which takes over a second

    run_demo(folder, once=once, port=port, web_port=web_port)


def main() -> None:
    """Run the command; what a person can mend is one line on standard error and exit code 1."""
    try:
        app()
    except FaultError as fault:
        sys.exit(f"paperboy: {fault}")
    except SQLAlchemyError as error:
        reason, *_ = str(getattr(error, "orig", error)).strip().split("\n")
        sys.exit(f"paperboy: the database refused: {reason}")
    except OSError as error:
        sys.exit(f"paperboy: {error.filename}: {error.strerror}" if error.filename else f"paperboy: {error}")
    except EXPECTED as error:
        sys.exit("\n".join(f"paperboy: {line}" for line in str(error).splitlines()) or "paperboy: failed")
