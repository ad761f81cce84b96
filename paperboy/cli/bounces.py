"""`paperboy bounces`: returned mail, from the inbox, a Maildir, a file or an MTA's pipe."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from os import EX_TEMPFAIL
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from bounces.mime_parser import MOST_BYTES
from core.database import DatabaseError
from core.settings import SettingsError
from emails.mime.dkim_signing import SigningError
from paperboy.cli.options import Json, Now, moment, show
from paperboy.reports import returns as reports


def bounces(
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE|-]", help="One mail; - reads it from standard input.")
    ] = None,
    maildir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A Maildir in place of PAPERBOY_INBOX_URL.")
    ] = None,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Read mail that came back: bounces, complaints, unsubscriptions."""
    if file and maildir:
        raise typer.BadParameter("give FILE or --maildir, not both")
    done: dict[str, int] | None
    if file == "-":
        with _kept_by_the_mail_server():
            done = reports.take_in_mail(_standard_input(), moment(now))
    elif file:
        done = reports.take_in_file(Path(file), moment(now))
    else:
        done = reports.read_inbox(maildir, moment(now))

    def lines() -> None:
        counts = ", ".join(f"{count} {what}" for what, count in (done or {}).items())
        typer.echo(
            "PAPERBOY_INBOX_URL is not set: no returned mail is read"
            if done is None
            else counts or "no new mail"
        )

    show(done or {}, as_json, lines)


def _standard_input() -> bytes:
    stream = typer.get_binary_stream("stdin")
    mail = stream.read(MOST_BYTES)
    while stream.read(MOST_BYTES):  # an MTA whose pipe breaks would return the report
        pass
    return mail


@contextmanager
def _kept_by_the_mail_server() -> Iterator[None]:
    """While something of ours is not as it should be, the MTA keeps the mail and tries again."""
    try:
        yield
    except (DatabaseError, SettingsError, SigningError, SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        typer.echo(f"paperboy: try again later: {reason}", err=True)
        sys.exit(EX_TEMPFAIL)
