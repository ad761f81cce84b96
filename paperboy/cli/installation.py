"""`paperboy migrate`, and the settings and the database that every command opens."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from core.database import Database
    from core.settings import Settings


def open_installation(*, waits: bool = False) -> "tuple[Settings, Database]":
    """The settings and the database that they name, for one command. One that `waits` is patient if it is away."""
    from core.logs import configure_logging
    from core.schema import open_database
    from core.settings import load_settings

    settings = load_settings()
    configure_logging(settings.log_format)
    return settings, open_database(settings.database_url, waits=waits)


def migrate() -> None:
    """Make or update the tables of the database."""
    from core import schema
    from core.database import open_engine
    from core.settings import load_settings

    version = schema.migrate(open_engine(load_settings().database_url))
    typer.echo(f"The database is at version {version}.")
