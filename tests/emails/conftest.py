"""Fixtures that tests of mails share."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from core.database import Database
from tests.support.factories import NOW, issue_of, stored_issue
from tests.support.servers.smtp import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A mail server that does as it is told."""
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def issue(database: Database) -> Database:
    """A database with an issue of four papers, half an hour old."""
    with database.sessions.begin() as session:
        stored_issue(session, issue_of(4), now=NOW - timedelta(hours=1))
    return database
