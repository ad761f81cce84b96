"""`paperboy migrate`, and the settings and the database that every command opens."""

import getpass
from datetime import datetime
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from core.audit_log import Action
    from core.database import Database
    from core.settings import Settings
    from subscribers.models import Subscriber


def open_installation(*, waits: bool = False) -> "tuple[Settings, Database]":
    """The settings and the database that they name, for one command. One that `waits` is patient if it is away."""
    from core.logs import configure_logging
    from core.schema import open_database
    from core.settings import load_settings

    settings = load_settings()
    configure_logging(settings.log_format)
    return settings, open_database(settings.database_url, waits=waits)


def operator_name() -> str:
    """Who runs the command, as the audit log and resends name them."""
    return f"{getpass.getuser()} in a terminal"


def record(session: "Session", action: "Action", target: str, now: datetime, **detail: object) -> None:
    """Record in the audit log what a command does, in the transaction that does it."""
    from core.audit_log import record_action

    record_action(session, operator_name(), action, target, now, **detail)


def target_of(subscriber: "Subscriber | None") -> str:
    """What the audit log calls a subscriber. It has no addresses."""
    return f"subscriber {subscriber.id}" if subscriber else ""


def local_time(iso: str) -> str:
    """A time from a result as people read it: in the time zone of the settings, to the minute."""
    from core.settings import load_settings

    return f"{load_settings().local(datetime.fromisoformat(iso)):%Y-%m-%d %H:%M}"


def migrate() -> None:
    """Make or update the tables of the database."""
    from core import schema
    from core.database import open_engine
    from core.settings import load_settings

    version = schema.migrate(open_engine(load_settings().database_url))
    typer.echo(f"The database is at version {version}.")
