"""Fixtures that the tests of the doctor share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.support.installation import Installation, healthy_installation


@pytest.fixture
def installation(
    tmp_path: Path,
    sqlite_template: Path,
    monkeypatch: pytest.MonkeyPatch,
    authority: trustme.CA,
    ca_file: Path,
) -> Iterator[Installation]:
    """An installation on loopback in which everything is in order."""
    with healthy_installation(tmp_path, sqlite_template, monkeypatch, authority, ca_file) as created:
        yield created
