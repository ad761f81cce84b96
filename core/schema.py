"""The version of the tables: reading it, checking it, and migrating to the newest one."""

from functools import partial
from pathlib import Path

from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import sessionmaker

from core.database import Database, DatabaseError, first_line, open_engine, retry_while_away

MIGRATIONS = Path(__file__).parent / "migrations"


def open_database(url: str, *, waits: bool = False) -> Database:
    """The database at `url`, once its tables are known to be of the version that this Paperboy needs.

    A run that `waits` tries again while the database is away; otherwise this is an error at once.

    Raises:
        DatabaseError: the database cannot be used as it is.
    """
    engine = open_engine(url)
    ensure_current(engine, waits=waits)
    return Database(engine, sessionmaker(engine, expire_on_commit=False))


def ensure_current(engine: Engine, *, waits: bool = False) -> None:
    """Check that the tables are of the newest version. A new SQLite file gets its tables right here.

    Raises:
        DatabaseError: the database cannot be reached, needs `paperboy migrate`, or belongs to a newer Paperboy.
    """
    path = engine.url.database
    if engine.dialect.name == "sqlite" and path and not Path(path).exists():
        migrate(engine)
        return
    try:
        current = retry_while_away(partial(version_of, engine)) if waits else version_of(engine)
    except SQLAlchemyError as error:
        raise DatabaseError(f"the database cannot be reached: {first_line(error)}") from None
    _refuse_newer(current)
    if current != newest_version():
        raise DatabaseError("the database is not up to date: run `paperboy migrate`")


def migrate(engine: Engine) -> str:
    """Bring the tables to the newest version and return its name.

    Raises:
        DatabaseError: the database cannot be reached, refuses, or belongs to a newer Paperboy.
    """
    # Alembic takes half a second to import, and only a migration needs it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        _refuse_newer(version_of(engine))
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as error:
        raise DatabaseError(f"the database cannot be migrated: {first_line(error)}") from None
    return newest_version()


def _refuse_newer(current: str | None) -> None:
    if current and current > (newest := newest_version()):
        raise DatabaseError(
            f"the database is at version {current}, this Paperboy knows {newest}: update this installation"
        )


def version_of(engine: Engine) -> str | None:
    """The version of the tables, or None when there are no tables yet.

    Raises:
        SQLAlchemyError: the database cannot be reached or refuses.
    """
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        version = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return None if version is None else str(version)


def newest_version() -> str:
    """The version of the tables that this Paperboy needs: the number of the last migration."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
