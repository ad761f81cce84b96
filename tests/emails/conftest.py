"""Fixtures that tests of mails share."""

from collections.abc import Iterator

import pytest
from smtp_server import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A mail server that does as it is told."""
    with ScriptedServer() as running:
        yield running
