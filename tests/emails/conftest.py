"""Fixtures that tests of mails share."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from core.database import Database
from tests.support.factories import NOW, add_issue, issue_of
from tests.support.servers.smtp import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted mail server."""
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def issue(database: Database) -> Database:
    """A database with an issue of four papers, half an hour old."""
    with database.sessions.begin() as session:
        add_issue(session, issue_of(4), now=NOW - timedelta(hours=1))
    return database
