"""`paperboy bounces`: reads bounce mails from the inbox, a Maildir, a file or the pipe of an MTA."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from os import EX_TEMPFAIL
from pathlib import Path
from typing import Annotated

import typer

from paperboy.cli.installation import open_installation
from paperboy.cli.options import Json, Now, parse_now, show


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
    moment = parse_now(now)
    counts: dict[str, int] | None
    if file == "-":
        with _exit_with_tempfail():
            counts = _handle_mail(_read_standard_input(), moment)
    elif file:
        from bounces.inbox import read_mail_file

        counts = _handle_mail(read_mail_file(Path(file)), moment)
    else:
        counts = _read_inbox(maildir, moment)

    def print_counts() -> None:
        if counts is None:
            typer.echo("PAPERBOY_INBOX_URL is not set: no returned mail is read")
        else:
            typer.echo(", ".join(f"{count} {action}" for action, count in counts.items()) or "no new mail")

    show(counts or {}, as_json, print_counts)


def _read_inbox(maildir: Path | None, now: datetime | None) -> dict[str, int] | None:
    """Handle the new mails of a Maildir or of the inbox in the settings. Returns None if there is no inbox."""
    from bounces.handler import read_inbox
    from bounces.inbox import maildir_url
    from mailings.context import clock_from, identity_from

    settings, database = open_installation()
    url = maildir_url(maildir) if maildir else settings.inbox_url and settings.inbox_url.get_secret_value()
    if not url:
        return None
    return dict(read_inbox(url, database.sessions, identity_from(settings), clock_from(now)))


def _handle_mail(raw: bytes, now: datetime | None) -> dict[str, int]:
    """Handle one mail. Returns the action that followed, with the count 1."""
    from bounces.handler import handle_all
    from bounces.inbox import InboxMail
    from mailings.context import clock_from, identity_from

    settings, database = open_installation()
    return dict(handle_all(database.sessions, [InboxMail(raw)], identity_from(settings), clock_from(now)))


def _read_standard_input() -> bytes:
    """The first MAX_MAIL_BYTES of standard input. The rest is read and thrown away, so that no pipe breaks."""
    from bounces.mime_parser import MAX_MAIL_BYTES

    stream = typer.get_binary_stream("stdin")
    mail = stream.read(MAX_MAIL_BYTES)
    while stream.read(MAX_MAIL_BYTES):  # an MTA whose pipe breaks would return the report to its sender
        pass
    return mail


@contextmanager
def _exit_with_tempfail() -> Iterator[None]:
    """End with EX_TEMPFAIL (sysexits.h) if the installation does not work now, so that the MTA retries later."""
    from sqlalchemy.exc import SQLAlchemyError

    from core.database import DatabaseError
    from core.settings import SettingsError
    from emails.mime.dkim_signing import DkimKeyError

    try:
        yield
    except (DatabaseError, SettingsError, DkimKeyError, SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        typer.echo(f"paperboy: try again later: {reason}", err=True)
        sys.exit(EX_TEMPFAIL)
