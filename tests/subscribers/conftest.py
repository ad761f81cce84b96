"""Fixtures that tests of readers share."""

from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from core.database import Database
from subscribers.transfer import ImportReport, RejectedRow, import_readers
from tests.support.csv_transfer import KEY, SEOUL, Take
from tests.support.factories import NOW


@pytest.fixture
def take(database: Database, tmp_path: Path) -> Take:
    """Imports a text as a file; the report and the refusals, as they were told."""

    def run(
        text: str | bytes, into: Database = database, now: datetime = NOW
    ) -> tuple[ImportReport, list[RejectedRow]]:
        path = tmp_path / "readers.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        told: list[RejectedRow] = []
        report = import_readers(into.sessions, path, key=KEY, now=now, zone=SEOUL, on_refusal=told.append)
        assert report.refused == len(told)
        assert all(first.line < second.line for first, second in pairwise(told))
        return report, told

    return run
