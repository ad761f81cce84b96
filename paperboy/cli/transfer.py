"""`paperboy subscribers import` and `export`: CSV files of who reads."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from paperboy.cli.installation import open_installation
from paperboy.cli.options import Json, Now, member, names_of, now_or, parse_now

if TYPE_CHECKING:
    from subscribers.transfer import ImportLayout, ImportReport, RejectedRow


def import_from_csv(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with email, language, frequency.")],
    language: Annotated[str, typer.Option(help=f"Of rows that name none: {names_of(Language)}.")] = "",
    frequency: Annotated[str, typer.Option(help=f"Of rows that name none: {names_of(Frequency)}.")] = "",
    detail: Annotated[str, typer.Option(help=f"Of rows that name none: {names_of(Detail)}.")] = "",
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="THEIRS=OURS", help='A column that is named otherwise: "E-mail=email".'
        ),
    ] = None,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Take readers over who agreed elsewhere. No mail is sent. Repeating it does no harm.

    The first line names the columns: email, language and frequency, and perhaps detail, name,
    confirmed_at, status (active or paused) and paused_until. Known addresses stay as they are.
    """
    layout = _layout(language, frequency, detail, columns or [])
    moment = now_or(parse_now(now))
    if as_json:
        _import_as_json(file, layout, moment)
        return
    report = _import(file, layout, moment, lambda row: typer.echo(f"line {row.line}: {row.reason}"))
    typer.echo(f"{report.added} added, {report.known} known already, {report.refused} refused")


def _layout(language: str, frequency: str, detail: str, columns: list[str]) -> "ImportLayout":
    from subscribers.transfer import COLUMNS, ImportLayout

    defaults = {
        "language": language and member("language", language, Language),
        "frequency": frequency and member("frequency", frequency, Frequency),
        "detail": detail and member("detail", detail, Detail),
    }
    renamed = {}
    for pair in columns:
        theirs, is_pair, ours = (part.strip().lower() for part in pair.rpartition("="))
        if not (theirs and is_pair and ours in COLUMNS):
            names = ", ".join(COLUMNS)
            raise typer.BadParameter(
                f"{pair!r} is not a pair THEIRS=OURS with one of {names}", param_hint="--map"
            )
        renamed[theirs] = ours
    return ImportLayout({name: value for name, value in defaults.items() if value}, renamed)


def _import(
    file: Path, layout: "ImportLayout", now: datetime, on_rejected: "Callable[[RejectedRow], None]"
) -> "ImportReport":
    from core.secret_keys import secret_key
    from subscribers.transfer import import_subscribers

    settings, database = open_installation()
    return import_subscribers(
        database.sessions,
        file,
        key=secret_key(settings),
        now=now,
        zone=settings.zone,
        on_rejected=on_rejected,
        layout=layout,
    )


def _import_as_json(file: Path, layout: "ImportLayout", now: datetime) -> None:
    """Write one JSON object, rejected row by rejected row: a file can have more of them than fit into memory."""
    before = '{"refused": ['

    def on_rejected(row: "RejectedRow") -> None:
        nonlocal before
        typer.echo(f"{before}\n  {json.dumps(asdict(row), ensure_ascii=False)}", nl=False)
        before = ","

    report = _import(file, layout, now, on_rejected)
    end_of_list = "\n]" if report.refused else f"{before}]"
    typer.echo(f'{end_of_list}, "added": {report.added}, "known": {report.known}}}')


def export_to_csv(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to; standard output without it.")
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--all", help="Also those who never confirmed, left or could not be reached.")
    ] = False,
) -> None:
    """Write the readers as CSV, for import or a spreadsheet."""
    from subscribers.csv_files import write_private
    from subscribers.transfer import export_lines

    _, database = open_installation()
    lines = export_lines(database.sessions, everyone=everyone)
    if file is None:
        out = typer.get_binary_stream("stdout")
        for line in lines:
            out.write(line.encode())
    else:
        typer.echo(f"{write_private(file, lines) - 1} subscribers in {file}")
