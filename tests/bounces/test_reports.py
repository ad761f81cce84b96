"""A report counts for the address that it is about, for as long as it can be about a mail, and only once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from bounces import handler
from core.database import Database
from tests.support.bounce_mails import (
    MINJI,
    bounce_records,
    bounce_report,
    handle_bounce,
    plain_mail,
    sent_mail,
)
from tests.support.factories import IDENTITY, NOW
from tests.support.outbox import deliveries

MAILBOX_FULL = ("5.2.2", "552 5.2.2 mailbox full")


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_two_readings_at_once_handle_a_mail_once(database: Database) -> None:
    raw = bounce_report(sent_mail(database))
    with ThreadPoolExecutor(1) as pool, database.sessions.begin() as session:
        assert handler.handle_mail(session, raw, IDENTITY, NOW) == "suppressed"
        second = pool.submit(handle_bounce, database, raw)
        while not second.done() and not _waits(database):
            pass
        session.commit()
        assert second.result(30) == "known"
    assert len(bounce_records(database)) == 1


def _waits(database: Database) -> bool:
    """Whether a transaction waits for a lock of another one."""
    with database.sessions() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_a_report_about_several_addresses_counts_for_ours_by_its_own_status(
    sqlite_database: Database,
) -> None:
    mail = sent_mail(sqlite_database)
    another = b"Final-Recipient: rfc822; bob@example.com\nAction: failed\nStatus: 5.1.1\n\n"
    raw = bounce_report(mail, *MAILBOX_FULL).replace(b"Final-Recipient", another + b"Final-Recipient")
    assert handle_bounce(sqlite_database, raw) == "counted"
    assert bounce_records(sqlite_database)[0].status == "5.2.2"


def test_the_text_of_a_report_about_two_addresses_gives_each_its_own_status(
    sqlite_database: Database,
) -> None:
    mail = sent_mail(sqlite_database)
    text = (
        f"<bob@example.com>: user unknown, 550 5.1.1\n\n<{MINJI}>: delivery failed, 552 5.2.2 mailbox full\n"
    )
    part = b"--report\nContent-Type: text/plain\n\n" + text.encode() + b"\n"
    start = b"--report\nContent-Type: message/delivery-status"
    raw = bounce_report(mail, "5.0.0", "undelivered").replace(start, part + start)
    assert handle_bounce(sqlite_database, raw) == "counted"
    assert bounce_records(sqlite_database)[0].status == "5.2.2"


@pytest.mark.parametrize(
    "original",
    [
        "rfc822; Minji@Example.com",
        "utf-8; minj\\x{69}@example.com",
        "utf-8; minji\\x{1F}@example.com",
        "minji+40example.com",
    ],
)
def test_a_report_about_a_forwarded_mail_counts_by_the_address_that_it_was_sent_to(
    sqlite_database: Database, original: str
) -> None:
    mail = sent_mail(sqlite_database)
    forwarded = f"Original-Recipient: {original}\nFinal-Recipient: rfc822; minji@new.example".encode()
    ours = b"Final-Recipient: rfc822; " + MINJI.encode()
    another = b"Final-Recipient: rfc822; bob@example.com\nAction: failed\nStatus: 5.1.1\n\n"
    raw = bounce_report(mail, *MAILBOX_FULL).replace(ours, another + forwarded)
    assert handle_bounce(sqlite_database, raw) == "counted"
    assert bounce_records(sqlite_database)[0].status == "5.2.2"


@pytest.mark.parametrize(("days", "state"), [(5, "failed"), (7, "sent")])
def test_a_late_bounce_without_the_mail_says_nothing_about_a_mail_of_last_week(
    sqlite_database: Database, days: int, state: str
) -> None:
    raw = bounce_report(sent_mail(sqlite_database), "5.7.1", "554 5.7.1 blocked", original="")
    assert handle_bounce(sqlite_database, raw, NOW + timedelta(days=days)) == "counted"
    assert deliveries(sqlite_database)[0].state == state


def test_a_bounce_without_a_status_is_kept_for_the_operator(sqlite_database: Database) -> None:
    raw = bounce_report(sent_mail(sqlite_database)).replace(b"Status: 5.1.1\n", b"")
    raw = raw.replace(b"550 5.1.1 User unknown", b"it was not possible")
    assert handle_bounce(sqlite_database, raw) == "counted"
    [record] = bounce_records(sqlite_database)
    assert (record.kind, record.raw, record.received_at) == ("bounce", raw, NOW)


def test_only_the_first_mails_that_nobody_understands_are_kept(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "MAX_RAW_MAILS", 2)
    for number in range(3):
        handle_bounce(sqlite_database, plain_mail(f"Question {number}", "news@paperboy.example"))
    assert [record.raw is not None for record in bounce_records(sqlite_database)] == [True, True, False]


def test_a_mail_of_a_subscriber_is_theirs_however_they_write_their_address(sqlite_database: Database) -> None:
    sent_mail(sqlite_database)
    handle_bounce(
        sqlite_database, plain_mail("A question", "news@paperboy.example", sender="Minji@Example.COM")
    )
    handle_bounce(sqlite_database, plain_mail("A question", "news@paperboy.example"))
    assert [record.subscriber_id for record in bounce_records(sqlite_database)] == [1, None]


def test_a_long_text_of_a_server_is_stored_in_its_first_300_characters(sqlite_database: Database) -> None:
    handle_bounce(
        sqlite_database, bounce_report(sent_mail(sqlite_database), "5.7.1", "550 5.7.1 " + "no " * 200)
    )
    assert bounce_records(sqlite_database)[0].reason == ("550 5.7.1 " + "no " * 200)[:300]


@pytest.mark.parametrize("name", ["message/global-delivery-status", "text/delivery-status"])
def test_a_report_is_read_under_each_name_that_servers_give_it(sqlite_database: Database, name: str) -> None:
    raw = bounce_report(sent_mail(sqlite_database)).replace(b"message/delivery-status", name.encode())
    assert handle_bounce(sqlite_database, raw) == "suppressed"
    assert bounce_records(sqlite_database)[0].status == "5.1.1"


@pytest.mark.parametrize(
    "name",
    [
        "message/global",
        "message/partial",
        "message/x-rfc822",
        "message/news",
        "message/rfc822-headers",
        "message/global-headers",
        "text/rfc822",
        "text/rfc822-header",
        "text/rfc822-headers",
        "text/x-rfc822-headers",
    ],
)
def test_the_original_mail_proves_a_report_under_each_name_that_servers_give_it(
    sqlite_database: Database, name: str
) -> None:
    mail = sent_mail(sqlite_database)
    original = f"From: {IDENTITY.sender}\nMessage-ID: <{deliveries(sqlite_database)[0].message_id}>\n"
    raw = bounce_report(mail, to="news@paperboy.example", original=original)
    assert handle_bounce(sqlite_database, raw.replace(b"message/rfc822", name.encode())) == "suppressed"


def test_each_address_of_a_forwarded_mail_has_its_own_status_in_a_report_without_fields(
    sqlite_database: Database,
) -> None:
    mail = sent_mail(sqlite_database)
    text = f"""A message that you sent could not be delivered to one or more of its recipients:

  bob@new.example
    (generated from bob@example.com)
    550 5.1.1 user unknown

  minji@new.example
    (ultimately generated from {MINJI})
    552 5.2.2 mailbox full
"""
    raw = plain_mail(
        "Mail delivery failed: returning message to sender",
        mail.envelope_from,
        sender="Mailer-Daemon@mx.example.net",
        text=text,
    )
    assert handle_bounce(sqlite_database, raw) == "counted"
    assert bounce_records(sqlite_database)[0].status == "5.2.2"


@pytest.mark.parametrize(
    ("subject", "action"), [("Unsubscribe me", "unsubscribed"), ("Out of office", "left alone")]
)
def test_a_program_that_answers_for_a_reader_unsubscribes_them_only_if_its_subject_says_so(
    sqlite_database: Database, subject: str, action: str
) -> None:
    address = sent_mail(sqlite_database).data.split(b"mailto:")[1].split(b"?")[0].decode()
    raw = b"Auto-Submitted: auto-replied\n" + plain_mail(subject, address)
    assert handle_bounce(sqlite_database, raw) == action
