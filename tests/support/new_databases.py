"""Fresh databases of each kind: copies of a template, because migrating each of them would take most of the time."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from core.database import open_engine
from core.schema import migrate

TEMPLATE_NAME = "template_paperboy"


def make_sqlite_template(folder: Path) -> Path:
    """A migrated SQLite file in the folder, to copy."""
    path = folder / f"{TEMPLATE_NAME}.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    engine.dispose()
    return path


def copy_sqlite(template: Path, folder: Path) -> str:
    """The URL of a copy of a SQLite file."""
    path = folder / f"{uuid.uuid4().hex}.db"
    shutil.copy(template, path)
    return f"sqlite:///{path}"


def make_postgresql_template(server: str) -> str:
    """The name of a migrated database on the PostgreSQL server, to copy."""
    _run(server, f'DROP DATABASE IF EXISTS "{TEMPLATE_NAME}"')
    _create(server, TEMPLATE_NAME)
    engine = open_engine(_url_of(server, TEMPLATE_NAME))
    migrate(engine)
    engine.dispose()
    return TEMPLATE_NAME


@contextmanager
def temporary_databases(server: str) -> Iterator[Callable[[str | None], str]]:
    """A function that creates a PostgreSQL database, perhaps from a template. All of them are dropped at the end."""
    created: list[str] = []

    def new_database(template: str | None) -> str:
        created.append(f"t{uuid.uuid4().hex}")
        _create(server, created[-1], template)
        return _url_of(server, created[-1])

    yield new_database
    for name in created:
        _run(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _url_of(server: str, name: str) -> str:
    return server.replace("/postgres?", f"/{name}?")


def _create(server: str, name: str, template: str | None = None) -> None:
    _run(server, f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))


def _run(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
