"""The embedded mailbox keeps every mail as it was sent."""

import smtplib
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from delivery.transport.mailbox import MAX_MESSAGE_BYTES, embedded_mailbox, read, source

SENDER = "desk@example.com"
READER = "reader@example.com"
PLAIN = b"Subject: Hello\r\n\r\nHello\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mailbox"


@pytest.fixture
def client(folder: Path) -> Iterator[smtplib.SMTP]:
    with embedded_mailbox(folder) as url, connected(url) as client:
        yield client


def connected(url: str) -> smtplib.SMTP:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return smtplib.SMTP(parts.hostname, parts.port)


def test_a_mail_is_on_disk_byte_for_byte_with_its_dots_and_korean(folder: Path, client: smtplib.SMTP) -> None:
    mail = "Subject: Dots\r\n\r\n.\r\n..two\r\n.한글 주간 논문\r\n\r\nend\r\n".encode()
    client.sendmail(SENDER, READER, mail, mail_options=["BODY=8BITMIME"])
    (file,) = (folder / "new").iterdir()
    trace = f"Return-Path: <{SENDER}>\r\nDelivered-To: {READER}\r\n".encode()
    assert file.read_bytes() == trace + mail
    assert source(folder, file.name) == mail
    assert read(folder)[0].size == len(mail)


def test_a_mail_is_kept_under_the_envelopes_reader_not_the_headers(
    folder: Path, client: smtplib.SMTP
) -> None:
    client.sendmail(SENDER, READER, b"To: everyone@example.com\r\n" + PLAIN)
    assert read(folder)[0].to == READER


def test_a_korean_address_is_kept(folder: Path, client: smtplib.SMTP) -> None:
    client.command_encoding = "utf-8"
    client.sendmail(SENDER, "독자@example.com", PLAIN, mail_options=["SMTPUTF8"])
    assert read(folder)[0].to == "독자@example.com"


def test_each_reader_of_one_mail_gets_a_copy(folder: Path, client: smtplib.SMTP) -> None:
    client.sendmail(SENDER, [READER, "second@example.com"], PLAIN)
    assert [mail.to for mail in read(folder)] == [READER, "second@example.com"]


def test_two_mails_to_one_reader_are_both_kept_the_newest_last(folder: Path, client: smtplib.SMTP) -> None:
    client.sendmail(SENDER, READER, b"Subject: first\r\n\r\nsame\r\n")
    client.sendmail(SENDER, READER, b"Subject: second\r\n\r\nsame\r\n")
    assert [mail.subject for mail in read(folder)] == ["first", "second"]


def test_a_korean_subject_is_read_as_it_was_written(folder: Path, client: smtplib.SMTP) -> None:
    mail = EmailMessage()
    mail["From"] = "파이토치 한국 사용자 모임 <desk@example.com>"
    mail["Subject"] = "이번 주의 논문: 트랜스포머는 왜 잘 되는가, 그리고 우리가 아직 모르는 것들"
    mail["Date"] = "Mon, 05 Jan 2026 09:00:00 +0900"
    mail.set_content("본문")
    client.send_message(mail, SENDER, READER)
    (stored,) = read(folder)
    assert stored.subject == "이번 주의 논문: 트랜스포머는 왜 잘 되는가, 그리고 우리가 아직 모르는 것들"
    assert stored.from_ == "파이토치 한국 사용자 모임 <desk@example.com>"
    assert stored.date == datetime(2026, 1, 5, tzinfo=UTC)
    assert stored.message.get_content().splitlines() == ["본문"]


def test_a_mail_outlives_the_server_that_took_it(folder: Path) -> None:
    for subject in ("one", "two"):
        with embedded_mailbox(folder) as url, connected(url) as client:
            client.sendmail(SENDER, READER, f"Subject: {subject}\r\n\r\n")
    assert [mail.subject for mail in read(folder)] == ["one", "two"]


def test_the_mailbox_closes_while_a_client_is_still_connected(folder: Path) -> None:
    with embedded_mailbox(folder) as url:
        client = connected(url)
        client.ehlo()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.noop()
    client.close()


def test_a_mail_that_cannot_be_stored_is_never_acknowledged(folder: Path, client: smtplib.SMTP) -> None:
    (folder / "tmp").rmdir()
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        client.sendmail(SENDER, READER, PLAIN)
    assert refusal.value.smtp_code == 451


def test_a_mail_over_the_size_limit_is_refused(client: smtplib.SMTP) -> None:
    client.ehlo()
    assert client.esmtp_features["size"] == str(MAX_MESSAGE_BYTES)
    assert client.mail(SENDER, [f"SIZE={MAX_MESSAGE_BYTES + 1}"])[0] == 552
