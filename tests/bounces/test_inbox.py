"""Returned mail is fetched from IMAP and from a Maildir, and leaves the inbox only when it was dealt with."""

import ssl
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from bounces import handler
from bounces.inbox import InboxError, maildir_url, open_inbox, parse_inbox
from bounces.mime_parser import MOST_BYTES
from core.database import Database
from core.run_log import latest
from tests.support.bounce_mails import plain, records, report, sent, status_of_reader
from tests.support.factories import HOUSE, NOW
from tests.support.servers.imap import PASSWORD, ImapServer


def _read(database: Database, url: str) -> dict[str, int]:
    return dict(handler.read_inbox(url, database.sessions, HOUSE, lambda: NOW))


def _maildir(folder: Path, *mails: bytes) -> Path:
    for name in ("new", "cur", "tmp"):
        (folder / name).mkdir(parents=True)
    for number, mail in enumerate(mails):
        (folder / "new" / f"{number}.host").write_bytes(mail)
    return folder


def _url(
    server: ImapServer, ca_file: Path, *, scheme: str = "imaps", password: str = PASSWORD, box: str = "INBOX"
) -> str:
    return f"{scheme}://reader:{password}@127.0.0.1:{server.port}/{box}?ca={ca_file}"


@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_mail_is_read_from_imap_over_tls_and_marked_as_seen(
    sqlite_database: Database, server_tls: ssl.SSLContext, ca_file: Path, scheme: str
) -> None:
    mails = [report(sent(sqlite_database)), plain("Hello", "news@paperboy.example")]
    with ImapServer(mails, tls=server_tls, implicit_tls=scheme == "imaps") as server:
        url = _url(server, ca_file, scheme=scheme)
        assert _read(sqlite_database, url) == {"suppressed": 1, "kept": 1}
        assert server.seen == {0, 1}
        assert _read(sqlite_database, url) == {}
    assert status_of_reader(sqlite_database) == "bounced"
    with sqlite_database.sessions() as session:
        assert [run.result for run in latest(session, 2)] == [{}, {"suppressed": 1, "kept": 1}]


def test_a_mail_whose_commit_failed_is_read_again(
    sqlite_database: Database, server_tls: ssl.SSLContext, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> str:
        raise SQLAlchemyError("the disk is full")

    with ImapServer([report(sent(sqlite_database))], tls=server_tls) as server:
        url = _url(server, ca_file)
        monkeypatch.setattr(handler, "take_in", full)
        with pytest.raises(SQLAlchemyError):
            _read(sqlite_database, url)
        monkeypatch.undo()
        assert server.seen == set()
        assert _read(sqlite_database, url) == {"suppressed": 1}


def test_a_mail_that_was_read_but_not_marked_acts_once(
    sqlite_database: Database, server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    with ImapServer([report(sent(sqlite_database))], tls=server_tls) as server:
        assert _read(sqlite_database, _url(server, ca_file)) == {"suppressed": 1}
        server.seen.clear()
        assert _read(sqlite_database, _url(server, ca_file)) == {"known": 1}


def test_what_is_wrong_with_a_server_is_told_in_one_line_without_the_password(
    server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    with ImapServer([], tls=server_tls) as server:
        untrusted = _url(server, ca_file).partition("?")[0]
        for url, reason in (
            (_url(server, ca_file, password="hunter2"), "wrong name or password"),
            (_url(server, ca_file, box="Returned"), "there is no mailbox Returned"),
            (untrusted, "certificate verify failed"),
            ("imaps://reader:hunter2@127.0.0.1:1/INBOX", "Connection refused"),
        ):
            with pytest.raises(InboxError, match=reason) as told, open_inbox(url) as mails:
                list(mails)
            assert "\n" not in str(told.value)
            assert "hunter2" not in str(told.value)


def test_mail_moves_from_new_to_cur_in_a_maildir(sqlite_database: Database, tmp_path: Path) -> None:
    folder = _maildir(
        tmp_path / "mail dir", report(sent(sqlite_database)), plain("Hi", "news@paperboy.example")
    )
    assert _read(sqlite_database, maildir_url(folder)) == {"suppressed": 1, "kept": 1}
    assert list((folder / "new").iterdir()) == []
    assert sorted(path.name for path in (folder / "cur").iterdir()) == ["0.host:2,S", "1.host:2,S"]
    assert len(records(sqlite_database)) == 2


def test_of_a_mail_of_any_size_a_bounded_part_is_read(
    sqlite_database: Database, server_tls: ssl.SSLContext, ca_file: Path, tmp_path: Path
) -> None:
    huge = report(sent(sqlite_database)) + b"x" * 3_000_000
    with ImapServer([huge], tls=server_tls) as server, open_inbox(_url(server, ca_file)) as mails:
        assert [len(mail.raw) for mail in mails] == [MOST_BYTES]
    with open_inbox(maildir_url(_maildir(tmp_path / "maildir", huge))) as mails:
        assert [len(mail.raw) for mail in mails] == [MOST_BYTES]


def test_a_folder_that_is_no_maildir_is_told(tmp_path: Path) -> None:
    with pytest.raises(InboxError, match="is no Maildir"), open_inbox(maildir_url(tmp_path)) as mails:
        list(mails)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("imap://reader:secret@host/INBOX?starttls=never", "starttls=required"),
        ("imaps://host/INBOX", "must look like"),
        ("imaps://reader:secret@host:port/INBOX", "is no address"),
        ("imaps://reader:secret@host/INBOX?colour=red", "must look like"),
        ("imaps://reader:secret@host/INBOX?ca=/no/such/file", "there is no file /no/such/file"),
        ("imaps://reader:secret@host/%0d%0a", "plain letters"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_in_one_line(url: str, reason: str) -> None:
    with pytest.raises(InboxError, match=reason) as told:
        parse_inbox(url)
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)
