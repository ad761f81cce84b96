"""Faults of the database: full, locked, away for a while or broken, and what happens to the mails."""

import itertools
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

import core.database
from core.database import Database
from delivery.models import Delivery
from paperboy.cli.main import main
from tests.support.database_faults import Disk, Locker, Outage, log_lines
from tests.support.factories import NOW, add_issue, add_subscriber, issue_of
from tests.support.outbox import deliveries, plan_mails, recipients, send, states
from tests.support.servers.smtp import ScriptedServer

MAILS = 60
WAITS_LINE = "the run waits because the database is away"


def at_mail(number: int, action: Callable[[], None]) -> Callable[[object], None]:
    """A script of the server that calls `action` at the mail with this number, and then accepts it."""
    mails = iter(range(1, 1000))

    def script(_argument: object) -> None:
        if next(mails) == number:
            action()

    return script


def assert_each_arrived_once(database: Database, server: ScriptedServer, addresses: list[str]) -> None:
    assert sorted(recipients(server)) == sorted(addresses)
    assert states(database) == {"sent": len(addresses)}
    assert {delivery.repeats for delivery in deliveries(database)} == {0}


# --- the disk -----------------------------------------------------------------------


def reply_at_length(_message: object) -> str:
    """A reply that needs much room in the database."""
    return "250 2.0.0 " + "Queued " * 60


def test_a_disk_that_stays_full_ends_the_run_and_the_next_run_loses_no_mail(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.database, "MAX_DATABASE_OUTAGE", timedelta(0))
    addresses = plan_mails(sqlite_database, MAILS)
    disk = Disk(sqlite_database)
    with ScriptedServer(on_body=reply_at_length) as server:
        with pytest.raises(OperationalError, match="full"):
            send(sqlite_database, server)
        after_first_run = states(sqlite_database)
        assert 0 < after_first_run["sent"] < MAILS
        assert after_first_run["sending"] == 1  # the server has accepted it
        assert len(server.messages) == after_first_run["sent"] + 1
        disk.grow()
        send(sqlite_database, server, repeat_uncertain=False)
    assert states(sqlite_database) == {"sent": MAILS - 1, "uncertain": 1}
    assert sorted(recipients(server)) == sorted(addresses)


def test_a_run_waits_until_a_full_disk_has_room_and_then_sends_the_rest_once(
    sqlite_database: Database,
) -> None:
    addresses = plan_mails(sqlite_database, MAILS)
    disk = Disk(sqlite_database)
    with ScriptedServer(on_body=reply_at_length) as server, log_lines(disk.grow) as lines:
        send(sqlite_database, server)
    assert lines == [f"{WAITS_LINE}: database or disk is full"]
    assert_each_arrived_once(sqlite_database, server, addresses)


# --- locked -------------------------------------------------------------------------


def test_a_run_waits_while_another_program_locks_the_database(sqlite_database: Database) -> None:
    addresses = plan_mails(sqlite_database, 4)
    event.listen(sqlite_database.engine, "checkout", lambda raw, *_: raw.execute("PRAGMA busy_timeout = 20"))
    locker = Locker(sqlite_database)
    with ScriptedServer(on_body=at_mail(2, locker.lock)) as server, log_lines(locker.unlock) as lines:
        send(sqlite_database, server)
    assert lines == [f"{WAITS_LINE}: database is locked"]
    assert_each_arrived_once(sqlite_database, server, addresses)


# --- away ---------------------------------------------------------------------------


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("hook", ["on_connect", "on_rcpt", "on_body"])
def test_a_run_waits_for_a_database_that_is_away_and_sends_every_mail_once(
    database: Database, hook: str
) -> None:
    addresses = plan_mails(database, 4)
    outage = Outage(database)
    script = at_mail(1 if hook == "on_connect" else 2, outage.begin)
    with ScriptedServer(**{hook: script}) as server, log_lines(outage.end_at_second_attempt) as lines:  # type: ignore[arg-type]
        send(database, server)
    assert len(lines) == 2
    assert all(line.startswith(WAITS_LINE) for line in lines)
    assert_each_arrived_once(database, server, addresses)


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_a_run_waits_while_a_database_is_read_only(database: Database) -> None:
    addresses = plan_mails(database, 4)
    modes = ["off", "on"]

    def next_mode(connection: Any, *_: object) -> None:
        connection.execute(f"SET default_transaction_read_only = {modes[-1]}")
        connection.commit()

    def make_read_only() -> None:
        event.listen(database.engine, "checkout", next_mode)
        with create_engine(database.engine.url).begin() as outside:
            terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            outside.execute(text(f"{terminate} AND datname = current_database()"))

    attempts = iter(range(10))

    def make_writable() -> None:
        if next(attempts) == 1:
            modes.pop()

    with ScriptedServer(on_body=at_mail(2, make_read_only)) as server, log_lines(make_writable) as lines:
        send(database, server)
    assert any("read-only" in line for line in lines)
    assert_each_arrived_once(database, server, addresses)


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_a_run_waits_for_a_locked_mail_without_polling_all_the_time(
    database: Database,
) -> None:
    plan_mails(database, 1)
    statements = itertools.count()
    with ScriptedServer() as server, ThreadPoolExecutor() as other:
        with database.sessions.begin() as session:
            session.scalars(select(Delivery).with_for_update()).all()
            event.listen(database.engine, "before_cursor_execute", lambda *_: next(statements) and None)
            sending = other.submit(send, database, server)
            wait([sending], timeout=1.5)
            assert not sending.done()
            assert next(statements) < 200
        assert sending.result(timeout=30).states == {"sent": 1}


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_a_database_that_stays_away_ends_the_run_and_leaves_one_mail_uncertain(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.database, "MAX_DATABASE_OUTAGE", timedelta(0))
    addresses = plan_mails(database, 4)
    outage = Outage(database)
    with ScriptedServer(on_body=at_mail(2, outage.begin)) as server:
        with pytest.raises(OperationalError):
            send(database, server)
        assert recipients(server) == addresses[:2]
        outage.end_at_second_attempt()
        outage.end_at_second_attempt()
        assert states(database) == {"sent": 1, "sending": 1, "claimed": 2}
        send(database, server, now=NOW + timedelta(minutes=2), repeat_uncertain=False)
    assert states(database) == {"sent": 3, "uncertain": 1}
    assert recipients(server) == addresses


# --- broken -------------------------------------------------------------------------


def drop_table(database: Database) -> None:
    """Somebody removes a table in the middle of a run."""
    other = create_engine(database.engine.url)
    with other.begin() as connection:
        connection.execute(text("ALTER TABLE suppressions RENAME TO gone"))
    other.dispose()


def test_a_run_does_not_wait_for_a_table_that_is_missing(database: Database) -> None:
    plan_mails(database, 4)
    drop_at_second = at_mail(2, lambda: drop_table(database))
    with (
        ScriptedServer(on_body=drop_at_second) as server,
        log_lines() as lines,
        pytest.raises(DBAPIError, match="suppressions"),
    ):
        send(database, server)
    assert lines == []
    assert states(database) == {"sent": 1, "sending": 1, "claimed": 2}


def test_the_command_line_says_in_one_line_why_the_database_ended_the_run(
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
    with ScriptedServer(on_body=at_mail(2, lambda: drop_table(database))) as server:
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


def test_a_second_sender_on_sqlite_logs_that_it_waits_for_the_first(sqlite_database: Database) -> None:
    addresses = plan_mails(sqlite_database, 2)
    in_flight, has_logged = threading.Event(), threading.Event()

    def answer_later(_message: object) -> None:
        in_flight.set()
        assert has_logged.wait(30)

    with ScriptedServer(on_body=answer_later) as server, log_lines(has_logged.set) as lines:
        first = threading.Thread(target=send, args=(sqlite_database, server))
        first.start()
        assert in_flight.wait(30)
        send(sqlite_database, server)
        first.join(30)
    assert lines == ["another sender is at work on this database: waiting for it to end"]
    assert_each_arrived_once(sqlite_database, server, addresses)
