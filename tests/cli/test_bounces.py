"""`paperboy bounces`: bounce mails from files, a Maildir and the pipe of a mail server."""

import json
import os
from functools import partial
from pathlib import Path

import pytest

from core.database import Database
from tests.cli.runner import Paperboy
from tests.support.bounce_mails import bounce_report, sent_mail, subscriber_status
from tests.support.factories import IDENTITY


@pytest.fixture
def bounces(sqlite_database: Database, run_command: Paperboy, monkeypatch: pytest.MonkeyPatch) -> Paperboy:
    """Runs `paperboy bounces` with a database and the key that signed the test mails."""
    monkeypatch.setenv("PAPERBOY_DATABASE_URL", str(sqlite_database.engine.url))
    monkeypatch.setenv("PAPERBOY_SECRET_KEY", IDENTITY.key.decode())
    monkeypatch.setenv("PAPERBOY_SENDER", IDENTITY.sender)
    return partial(run_command, "bounces")


def test_a_mail_from_a_pipe_is_read_once(bounces: Paperboy, sqlite_database: Database) -> None:
    raw = bounce_report(sent_mail(sqlite_database))
    assert bounces("-", stdin=raw)[:2] == (0, "1 suppressed\n")
    assert bounces("-", stdin=raw)[:2] == (0, "1 known\n")
    assert subscriber_status(sqlite_database) == "bounced"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAPERBOY_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none"),
        ("PAPERBOY_CONNECTIONS", "many"),
        ("PAPERBOY_DKIM_KEY_FILE", "/no/such/key"),
    ],
)
def test_a_mail_that_cannot_be_handled_now_stays_with_the_mail_server(
    bounces: Paperboy, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    code, _, err = bounces("-", stdin=b"Subject: x\n\n")
    assert code == os.EX_TEMPFAIL
    assert err.startswith("paperboy: try again later: ")
    assert err.count("\n") == 1


def test_a_file_and_a_maildir_are_read(bounces: Paperboy, sqlite_database: Database, tmp_path: Path) -> None:
    first, second = sent_mail(sqlite_database), sent_mail(sqlite_database, "bob@example.com")
    (tmp_path / "one.eml").write_bytes(bounce_report(first, "5.7.1", "554 5.7.1 blocked"))
    assert bounces("one.eml")[:2] == (0, "1 counted\n")
    for name in ("new", "cur"):
        (tmp_path / "in" / name).mkdir(parents=True)
    (tmp_path / "in" / "new" / "1").write_bytes(bounce_report(second))
    code, out, _ = bounces("--maildir", "in", "--json")
    assert (code, json.loads(out)) == (0, {"suppressed": 1})
    assert bounces("--maildir", "in")[:2] == (0, "no new mail\n")


def test_without_an_inbox_the_command_says_so(bounces: Paperboy) -> None:
    assert bounces()[:2] == (0, "PAPERBOY_INBOX_URL is not set: no returned mail is read\n")


def test_mistakes_are_explained_in_one_line(bounces: Paperboy, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bounces("no-such.eml")[2] == "paperboy: no-such.eml: No such file or directory"
    assert bounces("one.eml", "--maildir", "in")[0] == 2
    monkeypatch.setenv("PAPERBOY_INBOX_URL", "pop3://host")
    assert "PAPERBOY_INBOX_URL: must be like imaps://" in bounces()[2]
    monkeypatch.setenv("PAPERBOY_INBOX_URL", "imaps://host/INBOX")
    assert bounces()[2].startswith("paperboy: PAPERBOY_INBOX_URL must look like imaps://")
