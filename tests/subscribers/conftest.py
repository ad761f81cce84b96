"""Fixtures that tests of subscribers share."""

from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from core.database import Database
from subscribers.transfer import ImportReport, RejectedRow, import_subscribers
from tests.support.csv_transfer import KEY, SEOUL, ImportText
from tests.support.factories import NOW


@pytest.fixture
def import_text(database: Database, tmp_path: Path) -> ImportText:
    """Imports a text as a CSV file. Returns the report and the rejected rows."""

    def run(
        text: str | bytes, into: Database = database, now: datetime = NOW
    ) -> tuple[ImportReport, list[RejectedRow]]:
        path = tmp_path / "subscribers.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        rejected: list[RejectedRow] = []
        report = import_subscribers(
            into.sessions, path, key=KEY, now=now, zone=SEOUL, on_rejected=rejected.append
        )
        assert report.refused == len(rejected)
        assert all(first.line < second.line for first, second in pairwise(rejected))
        return report, rejected

    return run
