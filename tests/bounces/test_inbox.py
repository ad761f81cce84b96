"""Bounce mails are read from IMAP or a Maildir, and marked as read only after they were handled."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from bounces import handler
from bounces.inbox import InboxError, maildir_url, open_inbox, parse_inbox_url
from bounces.mime_parser import MAX_MAIL_BYTES
from core.database import Database
from core.run_log import latest_runs
from tests.support.bounce_mails import (
    bounce_records,
    bounce_report,
    plain_mail,
    sent_mail,
    subscriber_status,
)
from tests.support.database_faults import lose_answer
from tests.support.factories import IDENTITY, NOW
from tests.support.servers.imap import PASSWORD, ImapServer


def _read_inbox(database: Database, url: str) -> dict[str, int]:
    return dict(handler.read_inbox(url, database.sessions, IDENTITY, lambda: NOW))


def _create_maildir(folder: Path, *mails: bytes) -> Path:
    for name in ("new", "cur", "tmp"):
        (folder / name).mkdir(parents=True)
    for number, mail in enumerate(mails):
        (folder / "new" / f"{number}.host").write_bytes(mail)
    return folder


def _imap_url(
    server: ImapServer,
    ca_file: Path,
    *,
    scheme: str = "imaps",
    password: str = PASSWORD,
    mailbox: str = "INBOX",
) -> str:
    return f"{scheme}://user:{password}@127.0.0.1:{server.port}/{mailbox}?ca={ca_file}"


@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_mails_are_read_from_imap_over_tls_and_flagged_as_seen(
    sqlite_database: Database, server_tls: ssl.SSLContext, ca_file: Path, scheme: str
) -> None:
    mails = [bounce_report(sent_mail(sqlite_database)), plain_mail("Hello", "news@paperboy.example")]
    with ImapServer(mails, tls=server_tls, implicit_tls=scheme == "imaps") as server:
        url = _imap_url(server, ca_file, scheme=scheme)
        assert _read_inbox(sqlite_database, url) == {"suppressed": 1, "kept": 1}
        assert server.seen == {0, 1}
        assert _read_inbox(sqlite_database, url) == {}
    assert subscriber_status(sqlite_database) == "bounced"
    with sqlite_database.sessions() as session:
        assert [run.result for run in latest_runs(session, 2)] == [{}, {"suppressed": 1, "kept": 1}]


def test_a_mail_whose_commit_failed_is_read_again(
    database: Database, server_tls: ssl.SSLContext, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ImapServer([bounce_report(sent_mail(database))], tls=server_tls) as server:
        url = _imap_url(server, ca_file)
        with monkeypatch.context() as outage:
            outage.setattr(database.engine.dialect, "do_commit", lose_answer)
            with pytest.raises(DBAPIError):
                _read_inbox(database, url)
        assert (server.seen, bounce_records(database)) == (set(), [])
        assert _read_inbox(database, url) == {"suppressed": 1}
        assert server.seen == {0}


def test_a_mail_that_was_handled_but_not_flagged_is_handled_once(
    sqlite_database: Database, server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    with ImapServer([bounce_report(sent_mail(sqlite_database))], tls=server_tls) as server:
        assert _read_inbox(sqlite_database, _imap_url(server, ca_file)) == {"suppressed": 1}
        server.seen.clear()
        assert _read_inbox(sqlite_database, _imap_url(server, ca_file)) == {"known": 1}


def test_a_server_error_is_one_line_without_the_password(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    with ImapServer([], tls=server_tls) as server:
        untrusted = _imap_url(server, ca_file).partition("?")[0]
        for url, reason in (
            (_imap_url(server, ca_file, password="hunter2"), "wrong name or password"),
            (_imap_url(server, ca_file, mailbox="Bounces"), "there is no mailbox Bounces"),
            (untrusted, "certificate verify failed"),
            ("imaps://user:hunter2@127.0.0.1:1/INBOX", "Connection refused"),
        ):
            with pytest.raises(InboxError, match=reason) as caught, open_inbox(url) as mails:
                list(mails)
            assert "\n" not in str(caught.value)
            assert "hunter2" not in str(caught.value)


def test_a_server_that_hangs_up_before_the_logout_does_no_harm(
    sqlite_database: Database, server_tls: ssl.SSLContext, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ImapServer.answer

    def hang_up(server: ImapServer, command: bytes) -> tuple[bytes, bytes]:
        if command.upper() == b"LOGOUT":
            raise ConnectionError
        return answer(server, command)

    monkeypatch.setattr(ImapServer, "answer", hang_up)
    with ImapServer([b"Subject: hello\r\n\r\n"], tls=server_tls) as server:
        assert _read_inbox(sqlite_database, _imap_url(server, ca_file)) == {"kept": 1}
        assert server.seen == {0}


def test_handled_mails_move_from_new_to_cur_in_a_maildir(sqlite_database: Database, tmp_path: Path) -> None:
    folder = _create_maildir(
        tmp_path / "mail dir",
        bounce_report(sent_mail(sqlite_database)),
        plain_mail("Hi", "news@paperboy.example"),
    )
    assert _read_inbox(sqlite_database, maildir_url(folder)) == {"suppressed": 1, "kept": 1}
    assert list((folder / "new").iterdir()) == []
    assert sorted(path.name for path in (folder / "cur").iterdir()) == ["0.host:2,S", "1.host:2,S"]
    assert len(bounce_records(sqlite_database)) == 2


def test_only_the_first_bytes_of_a_huge_mail_are_read(
    sqlite_database: Database, server_tls: ssl.SSLContext, ca_file: Path, tmp_path: Path
) -> None:
    huge = bounce_report(sent_mail(sqlite_database)) + b"x" * 3_000_000
    with ImapServer([huge], tls=server_tls) as server, open_inbox(_imap_url(server, ca_file)) as mails:
        assert [len(mail.raw) for mail in mails] == [MAX_MAIL_BYTES]
    with open_inbox(maildir_url(_create_maildir(tmp_path / "maildir", huge))) as mails:
        assert [len(mail.raw) for mail in mails] == [MAX_MAIL_BYTES]


def test_a_folder_that_is_not_a_maildir_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InboxError, match="is not a Maildir"), open_inbox(maildir_url(tmp_path)) as mails:
        list(mails)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("imap://user:secret@host/INBOX?starttls=never", "must be encrypted"),
        ("imaps://host/INBOX", "must look like"),
        ("imaps://user:secret@host:port/INBOX", "is not a URL"),
        ("imaps://user:secret@host/INBOX?colour=red", "must look like"),
        ("imaps://user:secret@host/INBOX?ca=/no/such/file", "/no/such/file, which does not exist"),
        ("imaps://user:secret@host/%0d%0a", "ASCII letters"),
    ],
)
def test_an_invalid_inbox_url_is_one_line_without_the_password(url: str, reason: str) -> None:
    with pytest.raises(InboxError, match=reason) as caught:
        parse_inbox_url(url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mail_that_cannot_be_handled_stops_no_other_and_is_told_at_the_end(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounce = bounce_report(sent_mail(sqlite_database))
    folder = _create_maildir(tmp_path / "mail", b"Subject: poison\n\n", bounce)
    handle_mail = handler.handle_mail

    def fail_at_poison(session: Session, raw: bytes, *others: Any) -> handler.BounceAction:
        if b"poison" in raw:
            raise ValueError("no server writes such a mail")
        return handle_mail(session, raw, *others)

    monkeypatch.setattr(handler, "handle_mail", fail_at_poison)
    with pytest.raises(ValueError, match="no server writes"):
        _read_inbox(sqlite_database, maildir_url(folder))
    assert subscriber_status(sqlite_database) == "bounced"
    assert [path.name for path in (folder / "new").iterdir()] == ["0.host"]
