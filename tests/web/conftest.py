"""Fixtures for the pages: the running pages, with and without issues, and a browser."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from core.database import Database
from core.schema import open_database
from mailings.intake import ingest
from paperboy.demo.sample.forum import Forum
from tests.support.factories import INTAKE_RULES
from tests.support.programs import CHROMIUM_SWITCHES, program
from tests.support.servers.redis import RedisServer
from tests.support.site import Site, open_site


@pytest.fixture(scope="session")
def sample_file(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file to copy, with the issues of the sample forum. One of them is corrected."""
    path = tmp_path_factory.mktemp("sample") / "paperboy.db"
    shutil.copy(sqlite_template, path)
    database = open_database(f"sqlite:///{path}")
    now = datetime.now(UTC)
    with Forum() as forum:
        for days, edited in ((3, False), (2, True)):
            forum.state.edited = edited
            ingest(
                database.sessions,
                feed_url=forum.feed_url,
                rules=INTAKE_RULES,
                now=now - timedelta(days=days),
            )
    with database.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    database.engine.dispose()
    return path


@pytest.fixture
def sample_database(sample_file: Path, tmp_path: Path) -> Iterator[Database]:
    """A fresh SQLite database with the sample issues."""
    with _open_copy(sample_file, tmp_path) as database:
        yield database


@pytest.fixture
def sample_site(sample_database: Database, tmp_path: Path) -> Iterator[Site]:
    """The running pages with the sample issues."""
    with open_site(sample_database, tmp_path) as site:
        yield site


@pytest.fixture(scope="module")
def shared_sample_site(sample_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The running pages with the sample issues, for all tests of a file. No test may disturb another."""
    folder = tmp_path_factory.mktemp("site")
    with _open_copy(sample_file, folder) as database, open_site(database, folder) as site:
        yield site


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Iterator[Site]:
    """The running pages with a database of each kind, without issues."""
    with open_site(database, tmp_path) as site:
        yield site


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis server for one test."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for the tests of one file. While it is open, its event loop disturbs other tests."""
    path = program("chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=CHROMIUM_SWITCHES)
        yield opened
        opened.close()


@contextmanager
def _open_copy(file: Path, folder: Path) -> Iterator[Database]:
    path = folder / "paperboy.db"
    shutil.copy(file, path)
    database = open_database(f"sqlite:///{path}")
    yield database
    database.engine.dispose()
