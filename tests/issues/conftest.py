"""Fixtures that tests of issues share."""

from collections.abc import Iterator

import pytest

from paperboy.demo.sample.forum import Forum


@pytest.fixture
def forum() -> Iterator[Forum]:
    """The sample forum, running."""
    with Forum() as running:
        yield running
