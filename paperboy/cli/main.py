"""The `paperboy` command: which commands there are, and how each error ends."""

import signal
import sys
from typing import Annotated, NoReturn

import typer

from core.errors import PaperboyError
from paperboy.cli import (
    bounces,
    choices,
    databases,
    digests,
    doctor,
    installation,
    issues,
    pages,
    prefect_setup,
    probe,
    resend,
    status,
    subscribers,
    suppressions,
    transfer,
    upkeep,
)

INTERRUPTED = "paperboy: interrupted: run it again, and it goes on where it stopped"
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}  # 128 and the number of the signal, as in a shell

app = typer.Typer(no_args_is_help=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        from core.version import installed_version

        typer.echo(f"paperboy {installed_version()}")
        raise typer.Exit


@app.callback()
def name_unknown_settings(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Newsletter pipeline and scheduled mailer for weekly paper posts."""
    if "--help" in sys.argv or sys.argv[1:2] == ["doctor"]:  # the doctor names them among its findings
        return
    from core.unknown_settings import unknown_settings

    for setting in unknown_settings():
        typer.echo(f"paperboy: {setting}", err=True)


app.add_typer(issues.app, name="issues")
subscribers.app.command("set")(choices.set_subscriber)
subscribers.app.command()(suppressions.suppress)
subscribers.app.command()(suppressions.unsuppress)
subscribers.app.command("import")(transfer.import_from_csv)
subscribers.app.command("export")(transfer.export_to_csv)
app.add_typer(subscribers.app, name="subscribers")
for command in (
    issues.ingest,
    digests.digest,
    digests.preview,
    resend.resend,
    resend.reconcile,
    bounces.bounces,
    upkeep.upkeep,
    status.status,
    doctor.doctor,
    probe.probe,
    status.show,
    installation.migrate,
    databases.move_database,
    databases.backup,
    databases.vacuum,
    prefect_setup.prefect_setup,
    pages.web,
    pages.demo,
):
    app.command()(command)


class _TerminatedError(BaseException):
    """SIGTERM has come. No `except Exception` may catch it."""


def main() -> None:
    """Run the command. What a person can correct is one line on standard error, with exit code 1."""
    if sys.argv[1:2] != ["web"]:  # its server ends by itself at SIGTERM
        signal.signal(signal.SIGTERM, _terminate)
    try:
        _run()
    except _TerminatedError:
        _end_interrupted(signal.SIGTERM)
    except SystemExit as end:
        if end.code == EXIT_CODES[signal.SIGINT]:  # Typer has caught the KeyboardInterrupt
            _end_interrupted(signal.SIGINT)
        raise


def _run() -> None:
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


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise _TerminatedError


def _end_interrupted(number: signal.Signals) -> NoReturn:
    typer.echo(INTERRUPTED, err=True)
    sys.exit(EXIT_CODES[number])


def _is_from_database(error: Exception) -> bool:
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, SQLAlchemyError)
