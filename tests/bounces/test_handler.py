"""Mail that comes back: dead addresses are not mailed again, everybody else is, and no forgery harms a reader."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select

from bounces import handler
from core.database import Database
from delivery import events
from delivery.models import Delivery, ReturnedMail
from mailings import account_mails
from subscribers import accounts
from subscribers.accounts import find, is_suppressed
from subscribers.models import Subscriber, Suppression
from subscribers.tokens import make_token
from tests.support.bounce_mails import (
    MINJI,
    complaint,
    plain,
    records,
    report,
    returned,
    sent,
    status_of_reader,
)
from tests.support.factories import HOUSE, NOW
from tests.support.outbox import deliveries

FULL = ("5.2.2", "552 5.2.2 mailbox full")


def _is_suppressed(database: Database, address: str = MINJI) -> bool:
    with database.sessions() as session:
        return is_suppressed(session, address)


def test_a_dead_address_is_not_mailed_again(database: Database) -> None:
    mail = sent(database)
    words = f"550 5.1.1 <{MINJI}>: User unknown"
    assert returned(database, report(mail, "5.1.1", words)) == "suppressed"
    assert status_of_reader(database) == "bounced"
    assert _is_suppressed(database)
    [delivery] = deliveries(database)
    assert (delivery.state, delivery.reply) == (
        "failed",
        "returned: 5.1.1 550 5.1.1 <(address)>: User unknown",
    )
    [record] = records(database)
    assert (record.kind, record.status, record.action) == ("bounce", "5.1.1", "suppressed")
    assert (record.delivery_id, record.raw) == (delivery.id, None)


def test_a_mail_read_twice_acts_once(database: Database) -> None:
    raw = report(sent(database))
    assert returned(database, raw) == "suppressed"
    with database.sessions.begin() as session:
        session.execute(delete(Suppression))
    assert returned(database, raw) == "known"
    assert not _is_suppressed(database)
    assert len(records(database)) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("5.7.1", "554 5.7.1 blocked using a list"),
        ("5.7.26", "550 5.7.26 unauthenticated"),
        ("5.3.4", "552 5.3.4 too big"),
        ("5.6.0", "554 5.6.0 bad headers"),
        ("5.0.0", "550 no"),
        ("5.1.1", "550 5.1.1 refused as spam"),
        ("4.4.7", "retry timeout exceeded"),
    ],
)
def test_nobody_is_suppressed_for_what_is_no_dead_address(
    sqlite_database: Database, status: str, words: str
) -> None:
    mail = sent(sqlite_database)
    assert returned(sqlite_database, report(mail, status, words)) == "counted"
    assert status_of_reader(sqlite_database) == "active"
    assert deliveries(sqlite_database)[0].state == "failed"


def test_a_full_mailbox_is_given_up_after_three_issues_in_a_row(database: Database) -> None:
    first, second, third, fourth = [sent(database, slot=f"weekly:2025-W{week}") for week in range(32, 36)]
    assert returned(database, report(first, *FULL)) == "counted"
    assert returned(database, report(fourth, *FULL)) == "counted", "a success lies between"
    assert returned(database, report(third, *FULL)) == "counted"
    assert returned(database, report(third, *FULL) + b"again") == "counted", "the same issue counts once"
    assert status_of_reader(database) == "active"
    assert returned(database, report(second, *FULL)) == "suppressed", "in whichever order they come back"
    assert status_of_reader(database) == "bounced"


def test_delays_deliveries_and_holiday_notices_are_left_alone(sqlite_database: Database) -> None:
    mail = sent(sqlite_database)
    for action, status in (("delayed", "4.4.1"), ("delivered", "2.0.0")):
        raw = report(mail, status, "later", action=action)
        assert returned(sqlite_database, raw) == "left alone"
    holiday = plain(
        "Out of office: your mail", mail.envelope_from, text="I left; this mailbox does not exist."
    )
    assert returned(sqlite_database, holiday) == "left alone"
    assert deliveries(sqlite_database)[0].state == "sent"
    assert status_of_reader(sqlite_database) == "active"


def test_a_complaint_ends_the_mails_at_once_though_it_names_nobody(database: Database) -> None:
    mail = sent(database)
    assert returned(database, complaint(mail)) == "suppressed"
    assert status_of_reader(database) == "bounced"
    assert deliveries(database)[0].state == "sent", "it was delivered all the same"


def test_a_token_names_the_reader_whatever_the_text_says(sqlite_database: Database) -> None:
    mail, bystander = sent(sqlite_database), "bob@example.com"
    sent(sqlite_database, bystander)
    assert returned(sqlite_database, report(mail, about=bystander, returned="")) == "suppressed"
    assert status_of_reader(sqlite_database) == "bounced"
    assert status_of_reader(sqlite_database, bystander) == "active"


def test_without_a_token_the_message_id_of_a_mail_to_that_reader_proves_a_report(
    sqlite_database: Database,
) -> None:
    mail = sent(sqlite_database)
    message_id = deliveries(sqlite_database)[0].message_id
    original = f"From: {HOUSE.sender}\nMessage-ID: <{message_id}>\nSubject: x\n"
    other = report(mail, to="news@paperboy.example", about="bob@example.com", returned=original)
    assert returned(sqlite_database, other) == "nobody's", "it was not sent to whom the report names"
    proven = report(mail, to="news@paperboy.example", returned=original)
    assert returned(sqlite_database, proven) == "suppressed"


@pytest.mark.parametrize("to", ["news@paperboy.example", "bounces+AAECAwQFBgcICQoLDA0ODw@paperboy.example"])
def test_a_forged_report_suppresses_nobody(sqlite_database: Database, to: str) -> None:
    mail = sent(sqlite_database)
    forged = "From: a@b.example\nMessage-ID: <1234567890@paperboy.example>\nSubject: x\n"
    assert returned(sqlite_database, report(mail, to=to, returned=forged)) == "nobody's"
    assert returned(sqlite_database, complaint(mail, original=f"To: {MINJI}\nSubject: x\n")) == "nobody's"
    assert status_of_reader(sqlite_database) == "active"
    assert deliveries(sqlite_database)[0].state == "sent"


def test_a_mail_to_the_address_of_the_header_unsubscribes_and_is_answered(database: Database) -> None:
    mail = sent(database)
    address = mail.data.split(b"mailto:")[1].split(b"?")[0].decode()
    assert returned(database, plain("unsubscribe", address)) == "unsubscribed"
    assert status_of_reader(database) == "unsubscribed"
    assert [delivery.slot.partition(":")[0] for delivery in deliveries(database)] == ["weekly", "farewell"]


def test_who_a_mail_is_from_unsubscribes_nobody(sqlite_database: Database) -> None:
    sent(sqlite_database)
    with sqlite_database.sessions() as session:
        handle = session.scalars(select(Subscriber.handle)).one()
    for token in ("AAECAwQFBgcICQoLDA0ODw", make_token(HOUSE.key, "bounce", handle, NOW.date())):
        raw = plain("unsubscribe", f"unsubscribe+{token}@paperboy.example", sender=MINJI)
        assert returned(sqlite_database, raw) == "nobody's"
    assert status_of_reader(sqlite_database) == "active"


def test_a_letter_returned_from_an_address_to_move_to_leaves_the_reader_as_they_are(
    sqlite_database: Database,
) -> None:
    mail = sent(sqlite_database, slot="move:1234", kind="letter")
    with sqlite_database.sessions.begin() as session:
        found = find(session, MINJI)
        assert found
        found.new_email = "mistyped@example.com"
    assert returned(sqlite_database, report(mail, about="mistyped@example.com")) == "suppressed"
    assert status_of_reader(sqlite_database) == "active"
    assert _is_suppressed(sqlite_database, "mistyped@example.com")


def test_a_reader_who_moved_is_not_suppressed_for_the_mailbox_they_left(sqlite_database: Database) -> None:
    mail = sent(sqlite_database)
    with sqlite_database.sessions.begin() as session:
        found = find(session, MINJI)
        assert found
        found.new_email = "new@example.com"
        accounts.move(session, found, NOW)
    assert returned(sqlite_database, report(mail)) == "nobody's"
    assert status_of_reader(sqlite_database, "new@example.com") == "active"


def test_what_was_not_understood_is_kept_for_ninety_days(sqlite_database: Database) -> None:
    raw = plain("A question", "news@paperboy.example", text="Where is paper 3?")
    assert returned(sqlite_database, raw) == "kept"
    assert records(sqlite_database)[0].raw == raw
    with sqlite_database.sessions.begin() as session:
        handler.prune(session, NOW + timedelta(days=89))
        assert session.scalar(select(func.count(ReturnedMail.raw))) == 1
        handler.prune(session, NOW + timedelta(days=91))
    assert records(sqlite_database)[0].raw is None, "it is still counted"


def test_a_forgotten_reader_leaves_nothing_in_the_record(database: Database) -> None:
    mail = sent(database)
    returned(database, report(mail, "5.7.1", "554 5.7.1 blocked"))
    returned(database, plain("Hello", "news@paperboy.example", sender=MINJI))
    with database.sessions.begin() as session:
        found = find(session, MINJI)
        assert found
        account_mails.forget(session, found, HOUSE, NOW)
    returned(database, report(mail, "5.1.1", "550 5.1.1 User unknown"))
    for record in records(database):
        assert (record.subscriber_id, record.delivery_id, record.raw) == (None, None, None)
        assert MINJI not in record.said
    assert [record.action for record in records(database)] == ["counted", "kept", "nobody's"]
    with database.sessions.begin() as session:
        events.erase_forgotten(session)
        assert session.scalar(select(func.count(Delivery.id))) == 0


def test_returned_mails_are_counted_by_kind_and_status_since_a_time(sqlite_database: Database) -> None:
    for number, status in enumerate(("5.7.1", "5.7.1", "5.1.1")):
        mail = sent(sqlite_database, f"reader{number}@example.com")
        returned(sqlite_database, report(mail, status, f"554 {status} no"))
    with sqlite_database.sessions() as session:
        assert handler.count(session, NOW + timedelta(seconds=1)) == []
        found = [(entry.status, entry.action, entry.count) for entry in handler.count(session, NOW)]
    assert found == [("5.7.1", "counted", 2), ("5.1.1", "suppressed", 1)]


def test_garbage_is_counted_and_harms_nobody(database: Database) -> None:
    assert returned(database, b"\x00\xff\xfe From: \x00\n\n\x00") == "kept"
    raw = report(sent(database), "5.1.1", "550 5.1.1 \x00\udcff gone".encode("utf-8", "replace").decode())
    assert returned(database, raw) == "suppressed"
