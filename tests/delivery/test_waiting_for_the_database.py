"""Work that blocks while it waits for a database that is away, such as planning, counting and recording."""

import itertools
import os
import signal
import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, event, func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

import core.database
from core.database import Database, retry_while_away, transact
from delivery.models import DomainPause
from tests.support.database_faults import FailingDisk, Locker, Outage, log_lines, lose_answer
from tests.support.factories import NOW

WAITS_LINE = "the run waits because the database is away"


def add_pause(session: Session) -> str:
    """Some work that can be repeated: it adds a row unless it is there."""
    if session.get(DomainPause, "example.com") is None:
        session.add(DomainPause(domain="example.com", interval=1.0, next_at=NOW))
    session.flush()
    return "done"


def pauses(database: Database) -> int | None:
    with database.sessions() as session:
        return session.scalar(select(func.count()).select_from(DomainPause))


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_work_waits_for_a_server_that_is_away_with_one_warning_for_each_try(database: Database) -> None:
    assert pauses(database) == 0
    outage = Outage(database)
    outage.begin()
    with log_lines(outage.end_at_second_attempt) as lines:
        assert transact(database.sessions, add_pause) == "done"
    assert len(lines) == 2
    assert all(line.startswith(WAITS_LINE) for line in lines)
    assert pauses(database) == 1


def test_work_waits_while_another_program_locks_the_file(sqlite_database: Database) -> None:
    event.listen(sqlite_database.engine, "checkout", lambda raw, *_: raw.execute("PRAGMA busy_timeout = 20"))
    locker = Locker(sqlite_database)
    locker.lock()
    with log_lines(locker.unlock) as lines:
        assert transact(sqlite_database.sessions, add_pause) == "done"
    assert lines == [f"{WAITS_LINE}: database is locked"]
    assert pauses(sqlite_database) == 1


def test_work_waits_while_the_disk_fails_to_write(sqlite_database: Database) -> None:
    """SQLite tells such a failure by an extended error code, SQLITE_IOERR_WRITE."""
    assert pauses(sqlite_database) == 0
    disk = FailingDisk(sqlite_database)
    try:
        with log_lines(disk.repair) as lines:
            assert transact(sqlite_database.sessions, add_pause) == "done"
    finally:
        disk.repair()
    assert lines == [f"{WAITS_LINE}: disk I/O error"]
    assert pauses(sqlite_database) == 1


def lose_first_answer(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection ends between the first COMMIT and its answer."""
    commit, commits = database.engine.dialect.do_commit, itertools.count()

    def commit_and_lose(connection: Any) -> None:
        commit(connection)
        if next(commits) == 0:
            lose_answer(connection)

    monkeypatch.setattr(database.engine.dialect, "do_commit", commit_and_lose)


def test_work_whose_answer_was_lost_is_repeated(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    lose_first_answer(database, monkeypatch)
    tries: list[int] = []

    def work(session: Session) -> None:
        tries.append(session.query(DomainPause).count())
        add_pause(session)

    transact(database.sessions, work)
    assert tries == [0, 1]
    assert pauses(database) == 1


def test_a_fault_that_is_no_outage_is_raised_at_once(database: Database) -> None:
    with create_engine(database.engine.url).begin() as outside:
        outside.execute(text("ALTER TABLE domain_pauses RENAME TO gone"))
    with log_lines() as lines, pytest.raises(DBAPIError, match="domain_pauses"):
        transact(database.sessions, add_pause)
    assert lines == []


def away() -> None:
    raise OperationalError("SELECT 1", {}, psycopg.OperationalError("connection refused"))


def test_work_is_given_up_after_the_longest_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.database, "MAX_DATABASE_OUTAGE", timedelta(0))
    with pytest.raises(OperationalError, match="connection refused"):
        retry_while_away(away)
    monkeypatch.setattr(core.database, "MAX_DATABASE_OUTAGE", timedelta(seconds=0.05))
    monkeypatch.setattr(core.database, "INITIAL_RETRY_SECONDS", 0.01)
    with log_lines() as lines, pytest.raises(OperationalError, match="connection refused"):
        retry_while_away(away)
    assert 1 <= len(lines) <= 3  # after 0.01, 0.03 and 0.07 seconds


def test_an_interruption_ends_the_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.database, "INITIAL_RETRY_SECONDS", 600.0)
    # A shell that runs the tests in the background lets them ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt_soon() -> None:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()

    try:
        with log_lines(interrupt_soon), pytest.raises(KeyboardInterrupt):
            retry_while_away(away)
    finally:
        signal.signal(signal.SIGINT, before)
