"""The handler suppresses addresses that do not exist and no others, and forged bounces harm nobody."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select

from bounces import handler
from core.database import Database
from delivery import events
from delivery.bounce_log import bounce_groups
from delivery.models import BounceMail, Delivery
from delivery.states import DeliveryKind
from mailings import account_mails
from subscribers import accounts
from subscribers.accounts import find
from subscribers.models import Subscriber, Suppression
from subscribers.suppression import is_suppressed
from subscribers.tokens import LinkPurpose, make_token
from tests.support.bounce_mails import (
    MINJI,
    bounce_records,
    bounce_report,
    complaint,
    handle_bounce,
    plain_mail,
    sent_mail,
    subscriber_status,
)
from tests.support.factories import IDENTITY, NOW
from tests.support.outbox import deliveries

MAILBOX_FULL = ("5.2.2", "552 5.2.2 mailbox full")


def _is_suppressed(database: Database, address: str = MINJI) -> bool:
    with database.sessions() as session:
        return is_suppressed(session, address)


def test_an_address_that_does_not_exist_is_suppressed(database: Database) -> None:
    mail = sent_mail(database)
    text = f"550 5.1.1 <{MINJI}>: User unknown"
    assert handle_bounce(database, bounce_report(mail, "5.1.1", text)) == "suppressed"
    assert subscriber_status(database) == "bounced"
    assert _is_suppressed(database)
    [delivery] = deliveries(database)
    assert (delivery.state, delivery.reply) == (
        "failed",
        "returned: 5.1.1 550 5.1.1 <(address)>: User unknown",
    )
    [record] = bounce_records(database)
    assert (record.kind, record.status, record.action) == ("bounce", "5.1.1", "suppressed")
    assert (record.delivery_id, record.raw) == (delivery.id, None)


def test_a_mail_that_is_read_twice_is_handled_once(database: Database) -> None:
    raw = bounce_report(sent_mail(database))
    assert handle_bounce(database, raw) == "suppressed"
    with database.sessions.begin() as session:
        session.execute(delete(Suppression))
    assert handle_bounce(database, raw) == "known"
    assert not _is_suppressed(database)
    assert len(bounce_records(database)) == 1


@pytest.mark.parametrize(
    ("status", "text"),
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
def test_no_other_failure_suppresses_an_address(sqlite_database: Database, status: str, text: str) -> None:
    mail = sent_mail(sqlite_database)
    assert handle_bounce(sqlite_database, bounce_report(mail, status, text)) == "counted"
    assert subscriber_status(sqlite_database) == "active"
    assert deliveries(sqlite_database)[0].state == "failed"


def test_a_full_mailbox_is_suppressed_after_three_digests_in_a_row(database: Database) -> None:
    first, second, third, fourth = [
        sent_mail(database, slot=f"weekly:2025-W{week}") for week in range(32, 36)
    ]
    assert handle_bounce(database, bounce_report(first, *MAILBOX_FULL)) == "counted"
    assert handle_bounce(database, bounce_report(fourth, *MAILBOX_FULL)) == "counted", (
        "a successful delivery lies between them"
    )
    assert handle_bounce(database, bounce_report(third, *MAILBOX_FULL)) == "counted"
    assert handle_bounce(database, bounce_report(third, *MAILBOX_FULL) + b"again") == "counted", (
        "the same digest counts only once"
    )
    assert subscriber_status(database) == "active"
    assert handle_bounce(database, bounce_report(second, *MAILBOX_FULL)) == "suppressed", (
        "the order of the bounces does not matter"
    )
    assert subscriber_status(database) == "bounced"


def test_delays_delivery_receipts_and_auto_replies_change_nothing(sqlite_database: Database) -> None:
    mail = sent_mail(sqlite_database)
    for action, status in (("delayed", "4.4.1"), ("delivered", "2.0.0")):
        raw = bounce_report(mail, status, "later", action=action)
        assert handle_bounce(sqlite_database, raw) == "left alone"
    auto_reply = plain_mail(
        "Out of office: your mail", mail.envelope_from, text="I left; this mailbox does not exist."
    )
    assert handle_bounce(sqlite_database, auto_reply) == "left alone"
    assert deliveries(sqlite_database)[0].state == "sent"
    assert subscriber_status(sqlite_database) == "active"


@pytest.mark.parametrize(("days", "state"), [(5, "failed"), (7, "sent")])
def test_a_report_that_names_no_mail_is_about_the_last_one_only_while_it_can_still_bounce(
    database: Database, days: int, state: str
) -> None:
    """A server gives up after five days. A later report is about an older mail, and the last one has arrived."""
    report = bounce_report(sent_mail(database), "5.7.1", "554 5.7.1 blocked using a list", original="")
    assert handle_bounce(database, report, NOW + timedelta(days=days)) == "counted"
    assert [delivery.state for delivery in deliveries(database)] == [state]


def test_a_complaint_suppresses_at_once_even_if_it_names_nobody(database: Database) -> None:
    mail = sent_mail(database)
    assert handle_bounce(database, complaint(mail)) == "suppressed"
    assert subscriber_status(database) == "bounced"
    assert deliveries(database)[0].state == "sent", "the mail itself was delivered"


def test_a_token_identifies_the_subscriber_whatever_the_text_says(sqlite_database: Database) -> None:
    mail, bystander = sent_mail(sqlite_database), "bob@example.com"
    sent_mail(sqlite_database, bystander)
    assert handle_bounce(sqlite_database, bounce_report(mail, about=bystander, original="")) == "suppressed"
    assert subscriber_status(sqlite_database) == "bounced"
    assert subscriber_status(sqlite_database, bystander) == "active"


def test_without_a_token_a_report_needs_the_message_id_of_a_mail_to_that_subscriber(
    sqlite_database: Database,
) -> None:
    mail = sent_mail(sqlite_database)
    message_id = deliveries(sqlite_database)[0].message_id
    original = f"From: {IDENTITY.sender}\nMessage-ID: <{message_id}>\nSubject: x\n"
    about_another = bounce_report(
        mail, to="news@paperboy.example", about="bob@example.com", original=original
    )
    assert handle_bounce(sqlite_database, about_another) == "nobody's", (
        "the mail was not sent to the address that the report names"
    )
    proven = bounce_report(mail, to="news@paperboy.example", about="Minji@Example.COM", original=original)
    assert handle_bounce(sqlite_database, proven) == "suppressed", "servers may write the address in capitals"


@pytest.mark.parametrize("to", ["news@paperboy.example", "bounces+AAECAwQFBgcICQoLDA0ODw@paperboy.example"])
def test_a_forged_report_suppresses_nobody(sqlite_database: Database, to: str) -> None:
    mail = sent_mail(sqlite_database)
    forged = "From: a@b.example\nMessage-ID: <1234567890@paperboy.example>\nSubject: x\n"
    assert handle_bounce(sqlite_database, bounce_report(mail, to=to, original=forged)) == "nobody's"
    assert (
        handle_bounce(sqlite_database, complaint(mail, original=f"To: {MINJI}\nSubject: x\n")) == "nobody's"
    )
    assert subscriber_status(sqlite_database) == "active"
    assert deliveries(sqlite_database)[0].state == "sent"


def test_a_mail_to_the_list_unsubscribe_address_unsubscribes_and_gets_a_farewell(database: Database) -> None:
    mail = sent_mail(database)
    address = mail.data.split(b"mailto:")[1].split(b"?")[0].decode()
    assert handle_bounce(database, plain_mail("unsubscribe", address)) == "unsubscribed"
    assert subscriber_status(database) == "unsubscribed"
    assert [delivery.slot.partition(":")[0] for delivery in deliveries(database)] == ["weekly", "farewell"]


def test_the_sender_of_a_mail_alone_unsubscribes_nobody(sqlite_database: Database) -> None:
    sent_mail(sqlite_database)
    with sqlite_database.sessions() as session:
        handle = session.scalars(select(Subscriber.handle)).one()
    for token in ("AAECAwQFBgcICQoLDA0ODw", make_token(IDENTITY.key, LinkPurpose.BOUNCE, handle, NOW.date())):
        raw = plain_mail("unsubscribe", f"unsubscribe+{token}@paperboy.example", sender=MINJI)
        assert handle_bounce(sqlite_database, raw) == "nobody's"
    assert subscriber_status(sqlite_database) == "active"


def test_a_bounce_from_a_new_address_suppresses_only_the_new_address(
    sqlite_database: Database,
) -> None:
    mail = sent_mail(sqlite_database, slot="move:1234", kind=DeliveryKind.LETTER)
    with sqlite_database.sessions.begin() as session:
        found = find(session, MINJI)
        assert found
        found.new_email = "mistyped@example.com"
    assert handle_bounce(sqlite_database, bounce_report(mail, about="mistyped@example.com")) == "suppressed"
    assert subscriber_status(sqlite_database) == "active"
    assert _is_suppressed(sqlite_database, "mistyped@example.com")


def test_a_bounce_from_an_old_address_does_not_suppress_the_new_one(sqlite_database: Database) -> None:
    mail = sent_mail(sqlite_database)
    with sqlite_database.sessions.begin() as session:
        found = find(session, MINJI)
        assert found
        found.new_email = "new@example.com"
        accounts.change_address(session, found, NOW)
    assert handle_bounce(sqlite_database, bounce_report(mail)) == "nobody's"
    assert subscriber_status(sqlite_database, "new@example.com") == "active"


def test_a_mail_that_was_not_understood_is_kept_for_ninety_days(sqlite_database: Database) -> None:
    raw = plain_mail("A question", "news@paperboy.example", text="Where is paper 3?")
    assert handle_bounce(sqlite_database, raw) == "kept"
    assert bounce_records(sqlite_database)[0].raw == raw
    with sqlite_database.sessions.begin() as session:
        handler.discard_old_raw_mails(session, NOW + timedelta(days=89))
        assert session.scalar(select(func.count(BounceMail.raw))) == 1
        handler.discard_old_raw_mails(session, NOW + timedelta(days=91))
    assert bounce_records(sqlite_database)[0].raw is None, "the record itself stays"


def test_forgetting_a_subscriber_erases_them_from_the_bounce_records(database: Database) -> None:
    mail = sent_mail(database)
    handle_bounce(database, bounce_report(mail, "5.7.1", "554 5.7.1 blocked"))
    handle_bounce(database, plain_mail("Hello", "news@paperboy.example", sender=MINJI))
    with database.sessions.begin() as session:
        found = find(session, MINJI)
        assert found
        account_mails.forget(session, found, IDENTITY, NOW)
    handle_bounce(database, bounce_report(mail, "5.1.1", "550 5.1.1 User unknown"))
    for record in bounce_records(database):
        assert (record.subscriber_id, record.delivery_id, record.raw) == (None, None, None)
        assert MINJI not in record.reason
    assert [record.action for record in bounce_records(database)] == ["counted", "kept", "nobody's"]
    with database.sessions.begin() as session:
        events.erase_forgotten_subscribers(session)
        assert session.scalar(select(func.count(Delivery.id))) == 0


def test_bounces_since_a_time_are_counted_by_status_and_action(sqlite_database: Database) -> None:
    for number, status in enumerate(("5.7.1", "5.7.1", "5.1.1")):
        mail = sent_mail(sqlite_database, f"subscriber{number}@example.com")
        handle_bounce(sqlite_database, bounce_report(mail, status, f"554 {status} no"))
    with sqlite_database.sessions() as session:
        assert bounce_groups(session, NOW) == []
        groups = bounce_groups(session, NOW - timedelta(seconds=1))
        found = [(group.status, group.action, group.count) for group in groups]
    assert found == [("5.7.1", "counted", 2), ("5.1.1", "suppressed", 1)]


def test_garbage_is_recorded_and_harms_nobody(database: Database) -> None:
    assert handle_bounce(database, b"\x00\xff\xfe From: \x00\n\n\x00") == "kept"
    raw = bounce_report(
        sent_mail(database), "5.1.1", "550 5.1.1 \x00\udcff gone".encode("utf-8", "replace").decode()
    )
    assert handle_bounce(database, raw) == "suppressed"


@pytest.mark.parametrize(
    "raw",
    [
        b"From: a@b.example\nIn-Reply-To: <a\x00b@c.example>\n\nhello",
        b"From: a@b.example\nContent-Type: text/plain; charset=utf-7\n\nMessage-ID: <abcd+2AA-@c.example>\n",
    ],
    ids=["NUL", "surrogate"],
)
def test_a_message_id_that_no_database_can_look_up_stops_no_reading(database: Database, raw: bytes) -> None:
    assert handle_bounce(database, raw) == "kept"
