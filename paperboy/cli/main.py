"""The `paperboy` command: which commands there are, and how each error ends."""

import sys

import typer

from core.errors import PaperboyError
from paperboy.cli import (
    bounces,
    digests,
    doctor,
    installation,
    issues,
    pages,
    resend,
    status,
    subscribers,
)

app = typer.Typer(
    help="Newsletter pipeline and scheduled mailer for weekly paper posts.", no_args_is_help=True
)
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
    status.show,
    installation.migrate,
    pages.web,
    pages.demo,
):
    app.command()(command)


def main() -> None:
    """Run the command. What a person can correct is one line on standard error, with exit code 1."""
    try:
        app()
    except PaperboyError as error:
        sys.exit("\n".join(f"paperboy: {line}" for line in str(error).splitlines()) or "paperboy: failed")
    except OSError as error:
        sys.exit(f"paperboy: {error.filename}: {error.strerror}" if error.filename else f"paperboy: {error}")
    except Exception as error:
        if not _is_from_database(error):
            raise
        reason, *_ = str(getattr(error, "orig", error)).strip().split("\n")
        sys.exit(f"paperboy: the database refused: {reason}")


def _is_from_database(error: Exception) -> bool:
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, SQLAlchemyError)
