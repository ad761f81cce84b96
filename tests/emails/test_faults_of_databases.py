"""The fault catalogue of databases: full, locked, gone for a while, broken; and what has become of the mails then."""

import logging
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sendings import deliveries, got, message_ids, plan, send, states
from smtp_server import ScriptedServer
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from core.database import Database, open_database
from emails import ledger
from emails.models import Delivery
from emails.pace import Speed


@pytest.fixture
def sqlite(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "paperboy.db"
    path.write_bytes(sqlite_template.read_bytes())
    opened = open_database(f"sqlite:///{path}")
    yield opened
    opened.engine.dispose()


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the run tells the log of."""
    caplog.set_level(logging.WARNING, "emails")
    return caplog


def lines(told: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in told.records if record.name.startswith("emails")]


def lose_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "PATIENCE", timedelta(seconds=0))


# --- full ---------------------------------------------------------------------------


def set_most_pages(engine: Engine, pages: int) -> None:
    """As a disk that is full at so many pages."""
    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def fill(database: Database) -> None:
    """Leave no room for another page, on any connection."""
    with database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    database.engine.dispose()
    event.listen(
        database.engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count = {pages}")
    )


def long_reply(_message: object) -> str:
    """Needs room: some hundreds of bytes in each delivery."""
    return "250 2.0.0 " + "Queued " * 60


def test_a_disk_that_stays_full_ends_the_run_and_the_next_one_accounts_for_every_mail(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = plan(sqlite, 60)
    lose_patience(monkeypatch)
    with ScriptedServer(on_body=long_reply) as server:
        fill(sqlite)
        with pytest.raises(OperationalError, match="full"):
            send(sqlite, server)
        assert 0 < len(server.messages) < 60
        now_larger = open_database(str(sqlite.engine.url))
        counted = states(now_larger)
        assert counted["sent"] + counted["sending"] == len(server.messages)
        assert counted["sending"] <= 1  # one for each connection

        send(now_larger, server, repeat_uncertain=False)
        assert states(now_larger) == {"sent": 59, "uncertain": 1}
        assert sorted(got(server)) == sorted(addresses)
        now_larger.engine.dispose()


def test_a_run_goes_on_once_the_disk_has_room_again_and_repeats_nothing(
    sqlite: Database, told: pytest.LogCaptureFixture
) -> None:
    addresses = plan(sqlite, 60)
    made_room = threading.Event()

    def make_room(_raw: object, record: object, _branch: object = None) -> None:
        made_room.set()

    with ScriptedServer(on_body=long_reply) as server:
        fill(sqlite)
        event.listen(sqlite.engine, "handle_error", lambda _context: clear(sqlite))
        send(sqlite, server)
    assert got(server) == addresses
    assert states(sqlite) == {"sent": 60}
