"""`paperboy subscribers`: who reads."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from paperboy.cli.options import Frequency, Json, Language, Now, moment, one_of, print_table, show
from paperboy.reports import subscribers as reports
from subscribers.csv_files import write_private
from subscribers.models import FREQUENCIES, LANGUAGES
from subscribers.transfer import Refusal

app = typer.Typer(help="Who reads.", no_args_is_help=True)


@app.command("add")
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
    one_of("language", language, LANGUAGES)
    one_of("frequency", frequency, FREQUENCIES)
    value = reports.add_subscriber(email, language, frequency, name, confirmed, moment(now))
    show(
        value,
        as_json,
        lambda: typer.echo(f"{value['email']}: {value['language']}, {value['frequency']}, {value['status']}"),
    )


@app.command("list")
def list_subscribers(as_json: Json = False) -> None:
    """All subscribers."""
    entries = reports.list_subscribers()
    columns = ["id", "email", "language", "frequency", "status", "cursor"]
    rows = [[str(entry[column]) for column in columns] for entry in entries]
    show(entries, as_json, lambda: print_table("Subscribers", columns, rows))


@app.command("import")
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
        _import_as_json(file, moment(now))
        return
    report = reports.import_subscribers(
        file, moment(now), lambda refusal: typer.echo(f"line {refusal.line}: {refusal.reason}")
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


@app.command("export")
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


@app.command("forget")
def forget_subscriber(email: str, now: Now = None, as_json: Json = False) -> None:
    """Erase a subscriber with all that is stored of them, at once and for good."""
    value = reports.forget_subscriber(email, moment(now))
    line = (
        f"Erased {value['email']} (events: {value['events']}, mails: {value['mails']}). "
        "A keyed hash of the address stays, so that no import brings it back."
    )
    show(value, as_json, lambda: typer.echo(line))
