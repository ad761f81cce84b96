"""The embedded mailbox stores every mail as it was sent."""

import smtplib
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from delivery.transport.mailbox import MAX_MESSAGE_BYTES, mailbox_server, read, source

SENDER = "news@example.com"
RECIPIENT = "reader@example.com"
PLAIN = b"Subject: Hello\r\n\r\nHello\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mailbox"


@pytest.fixture
def client(folder: Path) -> Iterator[smtplib.SMTP]:
    with mailbox_server(folder) as port, smtplib.SMTP("127.0.0.1", port) as client:
        yield client


def test_a_mail_is_stored_byte_for_byte_with_its_dots_and_korean(folder: Path, client: smtplib.SMTP) -> None:
    mail = "Subject: Dots\r\n\r\n.\r\n..two\r\n.한글 주간 논문\r\n\r\nend\r\n".encode()
    client.sendmail(SENDER, RECIPIENT, mail, mail_options=["BODY=8BITMIME"])
    (file,) = (folder / "new").iterdir()
    trace = f"Return-Path: <{SENDER}>\r\nDelivered-To: {RECIPIENT}\r\n".encode()
    assert file.read_bytes() == trace + mail
    assert source(folder, file.name) == mail
    assert read(folder)[0].size == len(mail)


def test_the_recipient_is_that_of_the_envelope_and_not_of_the_headers(
    folder: Path, client: smtplib.SMTP
) -> None:
    client.sendmail(SENDER, RECIPIENT, b"To: everyone@example.com\r\n" + PLAIN)
    assert read(folder)[0].to == RECIPIENT


def test_a_korean_address_is_stored(folder: Path, client: smtplib.SMTP) -> None:
    client.command_encoding = "utf-8"
    client.sendmail(SENDER, "독자@example.com", PLAIN, mail_options=["SMTPUTF8"])
    assert read(folder)[0].to == "독자@example.com"


def test_each_recipient_of_a_mail_gets_a_copy(folder: Path, client: smtplib.SMTP) -> None:
    client.sendmail(SENDER, [RECIPIENT, "second@example.com"], PLAIN)
    assert [mail.to for mail in read(folder)] == [RECIPIENT, "second@example.com"]


def test_two_mails_to_one_recipient_are_both_stored_the_newest_last(
    folder: Path, client: smtplib.SMTP
) -> None:
    client.sendmail(SENDER, RECIPIENT, b"Subject: first\r\n\r\nsame\r\n")
    client.sendmail(SENDER, RECIPIENT, b"Subject: second\r\n\r\nsame\r\n")
    assert [mail.subject for mail in read(folder)] == ["first", "second"]


def test_a_korean_subject_is_decoded_as_it_was_written(folder: Path, client: smtplib.SMTP) -> None:
    mail = EmailMessage()
    mail["From"] = "파이토치 한국 사용자 모임 <news@example.com>"
    mail["Subject"] = "이번 주의 논문: 트랜스포머는 왜 잘 되는가, 그리고 우리가 아직 모르는 것들"
    mail["Date"] = "Mon, 05 Jan 2026 09:00:00 +0900"
    mail.set_content("본문")
    client.send_message(mail, SENDER, RECIPIENT)
    (stored,) = read(folder)
    assert stored.subject == "이번 주의 논문: 트랜스포머는 왜 잘 되는가, 그리고 우리가 아직 모르는 것들"
    assert stored.from_ == "파이토치 한국 사용자 모임 <news@example.com>"
    assert stored.date == datetime(2026, 1, 5, tzinfo=UTC)
    assert stored.message.get_content().splitlines() == ["본문"]


def test_a_mail_outlives_the_server_that_accepted_it(folder: Path) -> None:
    for subject in ("one", "two"):
        with mailbox_server(folder) as port, smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail(SENDER, RECIPIENT, f"Subject: {subject}\r\n\r\n")
    assert [mail.subject for mail in read(folder)] == ["one", "two"]


def test_the_mailbox_closes_while_a_client_is_still_connected(folder: Path) -> None:
    with mailbox_server(folder) as port:
        client = smtplib.SMTP("127.0.0.1", port)
        client.ehlo()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.noop()
    client.close()


def test_a_mail_that_cannot_be_stored_is_never_acknowledged(folder: Path, client: smtplib.SMTP) -> None:
    (folder / "tmp").rmdir()
    with pytest.raises(smtplib.SMTPDataError) as caught:
        client.sendmail(SENDER, RECIPIENT, PLAIN)
    assert caught.value.smtp_code == 451


def test_a_mail_over_the_size_limit_is_rejected(client: smtplib.SMTP) -> None:
    client.ehlo()
    assert client.esmtp_features["size"] == str(MAX_MESSAGE_BYTES)
    assert client.mail(SENDER, [f"SIZE={MAX_MESSAGE_BYTES + 1}"])[0] == 552


def test_the_domains_for_trials_are_refused_for_good_or_for_now(folder: Path, client: smtplib.SMTP) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as error:
        client.sendmail(SENDER, ["a@refused.example", "b@Later.Example"], PLAIN)
    codes = {address: code for address, (code, _) in error.value.recipients.items()}
    assert codes == {"a@refused.example": 550, "b@Later.Example": 451}
    assert read(folder) == []
