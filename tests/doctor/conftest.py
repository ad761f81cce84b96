"""Fixtures that tests of the command share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.support.installation import Installation, healthy


@pytest.fixture
def installation(
    tmp_path: Path,
    sqlite_template: Path,
    monkeypatch: pytest.MonkeyPatch,
    authority: trustme.CA,
    ca_file: Path,
) -> Iterator[Installation]:
    """A healthy installation on loopback."""
    with healthy(tmp_path, sqlite_template, monkeypatch, authority, ca_file) as made:
        yield made
