"""Fixtures for the flows: a real Prefect server, and an installation with the sample forum and a mail server."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from core.schema import open_database
from flows.ingest import ingest
from flows.set_up import set_up
from paperboy.demo.sample.forum import Forum
from tests.support.commands import ROOT
from tests.support.factories import NOW, add_subscriber
from tests.support.new_databases import copy_sqlite
from tests.support.servers.smtp import ScriptedServer

# Tests wait for what a worker or the server does every few seconds, and no run of a schedule must begin meanwhile.
PREFECT_SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "0.1",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
}


@pytest.fixture(scope="session", autouse=True)
def _prefect() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PREFECT_SETTINGS.items():
            patch.setenv(name, value)
        # Each run would wait a second for its heartbeat to end.
        without_heartbeats = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
        with without_heartbeats, prefect_test_harness(server_startup_timeout=90):
            yield


@pytest.fixture(scope="session")
def deployed(_prefect: None) -> list[str]:
    """What `set_up` says when it sets the server up, which it does once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return list(set_up())


@pytest.fixture(scope="session")
def forum() -> Iterator[Forum]:
    """The sample forum. No test changes it."""
    with Forum() as running:
        yield running


@pytest.fixture(scope="session")
def installed_file(
    forum: Forum, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, _prefect: None
) -> Path:
    """An SQLite file to copy, into which a run has read the sample forum, with two subscribers."""
    folder = tmp_path_factory.mktemp("installed")
    url = copy_sqlite(sqlite_template, folder)
    with pytest.MonkeyPatch.context() as patch:
        _set_installation(patch, folder, url, forum)
        found = ingest(now=NOW)
    assert (len(found["new"]), len(found["archived"])) == (1, 2)
    with open_database(url).sessions.begin() as session:
        add_subscriber(session, "minji@example.com", language="ko", frequency="weekly")
        add_subscriber(session, "bob@example.com", language="en", frequency="daily")
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.execute("VACUUM INTO ?", (str(folder / "installed.db"),))  # with what is in its log
    return folder / "installed.db"


@pytest.fixture
def server(
    installed_file: Path, forum: Forum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ScriptedServer]:
    """The mail server of an installation with the issues of the sample forum and two subscribers."""
    with ScriptedServer() as running:
        _set_installation(monkeypatch, tmp_path, copy_sqlite(installed_file, tmp_path), forum)
        monkeypatch.setenv("PAPERBOY_SMTP_URL", f"smtp://{running.host}:{running.port}")
        yield running


def _set_installation(patch: pytest.MonkeyPatch, folder: Path, database_url: str, forum: Forum) -> None:
    patch.chdir(folder)
    patch.setenv("PAPERBOY_DATABASE_URL", database_url)
    patch.setenv("PAPERBOY_FEED_URL", forum.feed_url)
    patch.setenv("PAPERBOY_ALLOWED_HOSTS", "127.0.0.1")
    patch.setenv("PAPERBOY_SETTLE_MINUTES", "0")
