"""The doctor says how large the database is, how fast it grows, and what to do if the disk does not last."""

import shutil
from collections import namedtuple
from datetime import timedelta
from pathlib import Path

import pytest

from core.database import Database
from core.disk_space import DatabaseSize
from core.languages import TextLanguage
from core.run_log import RunKind, record_run
from paperboy.doctor import database_size
from tests.support.factories import NOW

Usage = namedtuple("Usage", "total used free")
GIGABYTE = 1_000_000_000


def findings(
    database: Database, monkeypatch: pytest.MonkeyPatch, size: DatabaseSize, *, free: float = 1_000
) -> list[str]:
    monkeypatch.setattr(database_size, "database_size", lambda _session: size)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(0, 0, free * GIGABYTE))
    with database.sessions() as session:
        found = list(database_size.check(session, Path("paperboy.db"), NOW))
    assert all(finding.line(TextLanguage.KO) != finding.line() for finding in found)
    return [finding.line() for finding in found]


def note_size(database: Database, megabytes: int, days: int) -> None:
    """Upkeep noted a size so many days ago."""
    with database.sessions.begin() as session:
        record_run(
            session, RunKind.UPKEEP, {"retention": {"megabytes": megabytes}}, NOW - timedelta(days=days)
        )


def test_size_and_growth_in_a_month_by_what_upkeep_noted(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = DatabaseSize(3 * GIGABYTE)
    note_size(sqlite_database, 2_000, days=1)
    assert findings(sqlite_database, monkeypatch, size) == [
        "ok       size: the database takes 3.00 GB; its growth is known after two days of upkeep"
    ]
    with sqlite_database.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM runs")
    for megabytes, days in ((100, 40), (2_000, 15), (2_900, 1)):  # the oldest of the last month counts
        note_size(sqlite_database, megabytes, days)
    grew = "size: the database takes 3.00 GB and grew by 2.00 GB in a month"
    assert findings(sqlite_database, monkeypatch, size) == [f"ok       {grew}"]
    assert findings(sqlite_database, monkeypatch, size, free=5) == [
        f"warning  {grew}, which leaves room for 2.5 months -> give it a larger disk, or keep mails for less "
        "time: PAPERBOY_RETENTION_MONTHS"
    ]


def test_an_older_file_with_much_free_space_needs_a_vacuum(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = DatabaseSize(4 * GIGABYTE, 2 * GIGABYTE, is_shrinkable=False)
    assert findings(sqlite_database, monkeypatch, size) == [
        "warning  size: 2.00 of 4.00 GB are free, but the file cannot shrink yet -> stop the worker and the pages, and "
        "run `paperboy vacuum` once"
    ]
