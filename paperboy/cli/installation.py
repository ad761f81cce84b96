"""The settings and the database of this installation."""

from zoneinfo import ZoneInfo

from core import database as core_database
from core import logs
from core.database import Database, open_database, open_engine
from core.settings import Settings, load


def opened() -> tuple[Settings, Database]:
    """The settings and the database that they name, for one command."""
    settings = load()
    logs.set_up(settings.log_format)
    return settings, open_database(settings.database_url)


def zone() -> ZoneInfo:
    """The time zone for times given without one."""
    return load().zone


def migrate() -> str:
    """Bring the database to the newest version and name it."""
    return core_database.migrate(open_engine(load().database_url))
