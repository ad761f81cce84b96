"""`paperboy bounces`: returned mail by hand and by a mail server's pipe."""

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.database import Database
from paperboy.cli.main import main
from tests.support.bounce_mails import bounce_report, sent_mail, subscriber_status
from tests.support.factories import IDENTITY

Paperboy = Callable[..., tuple[int, str, str]]


@pytest.fixture
def paperboy(
    sqlite_database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Paperboy:
    """Runs the command on the database; gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAPERBOY_DATABASE_URL", str(sqlite_database.engine.url))
    monkeypatch.setenv("PAPERBOY_SECRET_KEY", IDENTITY.key.decode())
    monkeypatch.setenv("PAPERBOY_SENDER", IDENTITY.sender)

    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["paperboy", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return (1, out, err + code) if isinstance(code, str) else (code or 0, out, err)

    return run


def test_a_pipe_hands_one_mail_over(paperboy: Paperboy, sqlite_database: Database) -> None:
    raw = bounce_report(sent_mail(sqlite_database))
    assert paperboy("bounces", "-", stdin=raw)[:2] == (0, "1 suppressed\n")
    assert paperboy("bounces", "-", stdin=raw)[:2] == (0, "1 known\n")
    assert subscriber_status(sqlite_database) == "bounced"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAPERBOY_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none"),
        ("PAPERBOY_CONNECTIONS", "many"),
        ("PAPERBOY_DKIM_KEY_FILE", "/no/such/key"),
    ],
)
def test_the_mail_server_keeps_a_mail_that_cannot_be_dealt_with_now(
    paperboy: Paperboy, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    code, _, err = paperboy("bounces", "-", stdin=b"Subject: x\n\n")
    assert code == os.EX_TEMPFAIL
    assert err.startswith("paperboy: try again later: ")
    assert err.count("\n") == 1


def test_a_file_and_a_maildir_are_read(paperboy: Paperboy, sqlite_database: Database, tmp_path: Path) -> None:
    first, second = sent_mail(sqlite_database), sent_mail(sqlite_database, "bob@example.com")
    (tmp_path / "one.eml").write_bytes(bounce_report(first, "5.7.1", "554 5.7.1 blocked"))
    assert paperboy("bounces", "one.eml")[:2] == (0, "1 counted\n")
    for name in ("new", "cur"):
        (tmp_path / "in" / name).mkdir(parents=True)
    (tmp_path / "in" / "new" / "1").write_bytes(bounce_report(second))
    code, out, _ = paperboy("bounces", "--maildir", "in", "--json")
    assert (code, json.loads(out)) == (0, {"suppressed": 1})
    assert paperboy("bounces", "--maildir", "in")[:2] == (0, "no new mail\n")


def test_without_an_inbox_it_says_so(paperboy: Paperboy) -> None:
    assert paperboy("bounces")[:2] == (0, "PAPERBOY_INBOX_URL is not set: no returned mail is read\n")


def test_mistakes_are_told_in_one_line(paperboy: Paperboy, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paperboy("bounces", "no-such.eml")[2] == "paperboy: no-such.eml: No such file or directory"
    assert paperboy("bounces", "one.eml", "--maildir", "in")[0] == 2
    monkeypatch.setenv("PAPERBOY_INBOX_URL", "pop3://host")
    assert "PAPERBOY_INBOX_URL: must be like imaps://" in paperboy("bounces")[2]
    monkeypatch.setenv("PAPERBOY_INBOX_URL", "imaps://host/INBOX")
    assert paperboy("bounces")[2].startswith("paperboy: PAPERBOY_INBOX_URL must look like imaps://")
