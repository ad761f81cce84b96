"""`paperboy prefect-setup`: everything that Prefect needs to run Paperboy on a schedule."""

from typing import Annotated

import typer


def prefect_setup(
    notify: Annotated[
        str,
        typer.Option(
            metavar="BLOCK",
            help="Also notify operators through this block of Prefect, such as slack-webhook/operators.",
        ),
    ] = "",
) -> None:
    """Create or update the work pool, the deployments and the automations of Prefect.

    Run it in the folder of the project, again after each upgrade and each change of PAPERBOY_TIMEZONE or
    PAPERBOY_INBOX_URL.
    """
    from flows.set_up import set_up

    for line in set_up(notify):
        typer.echo(line)
