"""The fault catalogue of databases: full, locked, gone for a while, broken; and what becomes of the mails."""

import itertools
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, make_url, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from core.database import Database
from delivery import group_commit
from delivery.models import Delivery
from paperboy.cli.main import main
from tests.support.factories import NOW, add_issue, add_subscriber, issue_of
from tests.support.outbox import deliveries, plan_mails, recipients, send, states
from tests.support.servers.smtp import ScriptedServer

MAILS = 60
WAITS = "the database is away, the run waits"


class Told(logging.Handler):
    """Keeps the lines of the log, and calls `then` at each: the moment at which a person would act."""

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._then = then

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self._then()


@contextmanager
def told(then: Callable[[], None] = lambda: None) -> Iterator[list[str]]:
    handler = Told(then)
    logging.getLogger("emails").addHandler(handler)
    yield handler.lines
    logging.getLogger("emails").removeHandler(handler)


def at_mail(number: int, then: Callable[[], None]) -> Callable[[object], None]:
    """A script of the server: at the mail of that number something happens, and the reply is good."""
    mails = iter(range(1, 1000))

    def script(_argument: object) -> None:
        if next(mails) == number:
            then()

    return script


def assert_each_arrived_once(database: Database, server: ScriptedServer, addresses: list[str]) -> None:
    assert sorted(recipients(server)) == sorted(addresses)
    assert states(database) == {"sent": len(addresses)}
    assert {delivery.repeats for delivery in deliveries(database)} == {0}


# --- the disk -----------------------------------------------------------------------


class Disk:
    """Where an SQLite file lies; it has room for some pages only."""

    def __init__(self, database: Database) -> None:
        with database.engine.connect() as connection:
            self.pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one() + 3
        event.listen(database.engine, "checkout", self._limit)

    def _limit(self, connection: object, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {self.pages}")  # type: ignore[attr-defined]

    def grow(self) -> None:
        self.pages += 10_000


def wordy(_message: object) -> str:
    """A reply that takes room."""
    return "250 2.0.0 " + "Queued " * 60


def test_a_disk_that_stays_full_ends_the_run_and_the_next_one_accounts_for_every_mail(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "PATIENCE", timedelta(0))
    addresses = plan_mails(sqlite_database, MAILS)
    disk = Disk(sqlite_database)
    with ScriptedServer(on_body=wordy) as server:
        with pytest.raises(OperationalError, match="full"):
            send(sqlite_database, server)
        counted = states(sqlite_database)
        assert 0 < counted["sent"] < MAILS
        assert counted["sending"] == 1  # of the only connection; the server has taken it
        assert len(server.messages) == counted["sent"] + 1
        disk.grow()
        send(sqlite_database, server, repeat_uncertain=False)
    assert states(sqlite_database) == {"sent": MAILS - 1, "uncertain": 1}
    assert sorted(recipients(server)) == sorted(addresses)


def test_a_run_waits_for_room_on_a_full_disk_and_then_sends_the_rest_once(sqlite_database: Database) -> None:
    addresses = plan_mails(sqlite_database, MAILS)
    disk = Disk(sqlite_database)
    with ScriptedServer(on_body=wordy) as server, told(disk.grow) as lines:
        send(sqlite_database, server)
    assert lines == [f"{WAITS}: database or disk is full"]
    assert_each_arrived_once(sqlite_database, server, addresses)


# --- locked -------------------------------------------------------------------------

LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("COMMIT")
"""


class Locker:
    """Another process that keeps the database to itself for a while."""

    def __init__(self, database: Database) -> None:
        self._command = [sys.executable, "-c", LOCK, str(database.engine.url.database)]
        self._process: subprocess.Popen[bytes] | None = None

    def advisory_lock(self) -> None:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        assert self._process.stdout
        assert self._process.stdout.readline() == b"locked\n"

    def unlock(self) -> None:
        assert self._process
        self._process.communicate(timeout=30)


def test_a_run_outlasts_another_program_that_locks_the_database(sqlite_database: Database) -> None:
    addresses = plan_mails(sqlite_database, 4)
    event.listen(sqlite_database.engine, "checkout", lambda raw, *_: raw.execute("PRAGMA busy_timeout = 20"))
    locker = Locker(sqlite_database)
    with ScriptedServer(on_body=at_mail(2, locker.advisory_lock)) as server, told(locker.unlock) as lines:
        send(sqlite_database, server)
    assert lines == [f"{WAITS}: database is locked"]
    assert_each_arrived_once(sqlite_database, server, addresses)


# --- gone ---------------------------------------------------------------------------


class Door:
    """Of a PostgreSQL database: who is inside is thrown out, and nobody is let in until it opens again."""

    def __init__(self, database: Database) -> None:
        self._name = database.engine.url.database
        address = make_url(database.engine.url).set(database="postgres")
        self._outside = create_engine(address, isolation_level="AUTOCOMMIT")
        self._tries = 0

    def close(self) -> None:
        self._do(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS false')
        self._do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")

    def open_at_the_second_try(self) -> None:
        self._tries += 1
        if self._tries == 2:
            self._do(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS true')
            self._outside.dispose()

    def _do(self, statement: str) -> None:
        with self._outside.connect() as connection:
            connection.execute(text(statement), {"name": self._name} if ":name" in statement else {})


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("hook", ["on_connect", "on_rcpt", "on_body"])
def test_a_run_outlasts_a_database_that_is_gone_for_a_while_and_sends_every_mail_once(
    database: Database, hook: str
) -> None:
    addresses = plan_mails(database, 4)
    door = Door(database)
    at = at_mail(1 if hook == "on_connect" else 2, door.close)
    with ScriptedServer(**{hook: at}) as server, told(door.open_at_the_second_try) as lines:  # type: ignore[arg-type]
        send(database, server)
    assert len(lines) == 2
    assert all(line.startswith(WAITS) for line in lines)
    assert_each_arrived_once(database, server, addresses)


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_a_run_outlasts_a_database_that_can_only_be_read_for_a_while(database: Database) -> None:
    addresses = plan_mails(database, 4)
    modes = ["off", "on"]

    def next_mode(connection: Any, *_: object) -> None:
        connection.execute(f"SET default_transaction_read_only = {modes[-1]}")
        connection.commit()

    def close() -> None:
        event.listen(database.engine, "checkout", next_mode)
        with create_engine(database.engine.url).begin() as outside:
            mine = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            outside.execute(text(f"{mine} AND datname = current_database()"))

    tries = iter(range(10))

    def open_again() -> None:
        if next(tries) == 1:
            modes.pop()

    with ScriptedServer(on_body=at_mail(2, close)) as server, told(open_again) as lines:
        send(database, server)
    assert any("read-only" in line for line in lines)
    assert_each_arrived_once(database, server, addresses)


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_a_mail_that_another_transaction_keeps_is_waited_for_without_asking_all_the_time(
    database: Database,
) -> None:
    plan_mails(database, 1)
    asked = itertools.count()
    with ScriptedServer() as server, ThreadPoolExecutor() as other:
        with database.sessions.begin() as session:
            session.scalars(select(Delivery).with_for_update()).all()
            event.listen(database.engine, "before_cursor_execute", lambda *_: next(asked) and None)
            sending = other.submit(send, database, server)
            wait([sending], timeout=1.5)
            assert not sending.done()
            assert next(asked) < 200
        assert sending.result(timeout=30).states == {"sent": 1}


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_a_database_that_stays_away_ends_the_run_and_what_the_server_took_is_uncertain(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "PATIENCE", timedelta(0))
    addresses = plan_mails(database, 4)
    door = Door(database)
    with ScriptedServer(on_body=at_mail(2, door.close)) as server:
        with pytest.raises(OperationalError):
            send(database, server)
        assert recipients(server) == addresses[:2]
        door.open_at_the_second_try()
        door.open_at_the_second_try()
        assert states(database) == {"sent": 1, "sending": 1, "claimed": 2}
        send(database, server, now=NOW + timedelta(minutes=2), repeat_uncertain=False)
    assert states(database) == {"sent": 3, "uncertain": 1}
    assert recipients(server) == addresses


# --- broken -------------------------------------------------------------------------


def break_it(database: Database) -> None:
    """Somebody drops a table in the middle of a run."""
    other = create_engine(database.engine.url)
    with other.begin() as connection:
        connection.execute(text("ALTER TABLE suppressions RENAME TO gone"))
    other.dispose()


def test_a_run_does_not_wait_for_a_table_that_is_missing(database: Database) -> None:
    plan_mails(database, 4)
    broken_at_2 = at_mail(2, lambda: break_it(database))
    with (
        ScriptedServer(on_body=broken_at_2) as server,
        told() as lines,
        pytest.raises(DBAPIError, match="suppressions"),
    ):
        send(database, server)
    assert lines == []
    assert states(database) == {"sent": 1, "sending": 1, "claimed": 2}


def test_a_person_reads_in_one_line_why_the_database_ended_the_run(
    database: Database,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with database.sessions.begin() as session:
        add_issue(session, issue_of(2, start=date(2025, 7, 28)), now=NOW - timedelta(days=1))
        for number in range(3):
            add_subscriber(session, f"reader{number}@example.com")
    with ScriptedServer(on_body=at_mail(2, lambda: break_it(database))) as server:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PAPERBOY_DATABASE_URL", database_url)
        monkeypatch.setenv("PAPERBOY_CONNECTIONS", "1")
        monkeypatch.setenv("PAPERBOY_SMTP_URL", f"smtp://{server.host}:{server.port}")
        monkeypatch.setattr(sys, "argv", ["paperboy", "digest", "weekly", "--now", NOW.isoformat()])
        with pytest.raises(SystemExit) as ended:
            main()
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    line = str(ended.value.code)
    assert line.startswith("paperboy: the database refused: ")
    assert "suppressions" in line
    assert "\n" not in line


# --- two senders --------------------------------------------------------------------


def test_a_second_sender_on_sqlite_says_that_it_waits_for_the_first(sqlite_database: Database) -> None:
    addresses = plan_mails(sqlite_database, 2)
    in_flight, is_told = threading.Event(), threading.Event()

    def lease(_message: object) -> None:
        in_flight.set()
        assert is_told.wait(30)

    with ScriptedServer(on_body=lease) as server, told(is_told.set) as lines:
        first = threading.Thread(target=send, args=(sqlite_database, server))
        first.start()
        assert in_flight.wait(30)
        send(sqlite_database, server)
        first.join(30)
    assert lines == ["another sender is at work on this database: waiting for it to end"]
    assert_each_arrived_once(sqlite_database, server, addresses)
