"""Fixtures for the flows: a real Prefect server, and an installation with the sample forum and a mail server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.testing.utilities import prefect_test_harness

from core.schema import open_database
from flows.ingest import ingest
from paperboy.demo.sample.forum import Forum
from tests.support.factories import NOW, add_subscriber
from tests.support.new_databases import copy_sqlite
from tests.support.servers.smtp import ScriptedServer


@pytest.fixture(scope="session", autouse=True)
def _prefect() -> Iterator[None]:
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    with prefect_test_harness(server_startup_timeout=90):
        yield


@pytest.fixture
def server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_template: Path
) -> Iterator[ScriptedServer]:
    """The mail server of an installation with the issues of the sample forum and two subscribers."""
    monkeypatch.chdir(tmp_path)
    url = copy_sqlite(sqlite_template, tmp_path)
    with Forum() as forum, ScriptedServer() as running:
        monkeypatch.setenv("PAPERBOY_DATABASE_URL", url)
        monkeypatch.setenv("PAPERBOY_FEED_URL", forum.feed_url)
        monkeypatch.setenv("PAPERBOY_ALLOWED_HOSTS", "127.0.0.1")
        monkeypatch.setenv("PAPERBOY_SMTP_URL", f"smtp://{running.host}:{running.port}")
        monkeypatch.setenv("PAPERBOY_SETTLE_MINUTES", "0")
        found = ingest(now=NOW)
        assert (len(found["new"]), len(found["archived"])) == (1, 2)
        with open_database(url).sessions.begin() as session:
            add_subscriber(session, "minji@example.com", language="ko", frequency="weekly")
            add_subscriber(session, "bob@example.com", language="en", frequency="daily")
        yield running
