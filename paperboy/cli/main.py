"""The `paperboy` command: which commands there are, and how each mistake ends."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from bounces.inbox import InboxError
from core.database import DatabaseError
from core.settings import SettingsError
from delivery.transport.pool import AddressError
from emails.edition import EmptyIssueError
from emails.mime.dkim_signing import SigningError
from emails.rendering.render import RenderError
from issues.feed import FeedError
from issues.store import StoreError
from mailings.resend.eligibility import RequestError
from paperboy.cli.main import bounces, digests, doctor, installation, issues, resend, status, subscribers
from paperboy.cli.options import FaultError
from subscribers.accounts import AccountError
from subscribers.csv_files import SheetError

app = typer.Typer(
    help="Newsletter pipeline and scheduled mailer for weekly paper posts.", no_args_is_help=True
)
subscribers.app.command("show")(status.show_reader)
app.add_typer(issues.app, name="issues")
app.add_typer(subscribers.app, name="subscribers")
for command in (
    issues.ingest,
    digests.digest,
    digests.preview,
    resend.resend,
    resend.reconcile,
    bounces.bounces,
    status.status,
    doctor.doctor,
):
    app.command()(command)
app.command("show")(status.show_anything)

EXPECTED = (
    SettingsError,
    DatabaseError,
    FeedError,
    StoreError,
    AccountError,
    SheetError,
    AddressError,
    SigningError,
    InboxError,
    EmptyIssueError,
    RequestError,
    RenderError,
)


@app.command()
def migrate() -> None:
    """Make or update the tables of the database."""
    typer.echo(f"The database is at version {installation.migrate()}.")


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
    from paperboy.demo.run import run_demo  # noqa: PLC0415  brings prefect, which takes over a second

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
