"""The JSON notices of Amazon SES lead to the same actions as the reports of mail servers."""

import json
from typing import Any

import pytest

from bounces.parser import parse_bounce
from core.database import Database
from emails.message import Message
from subscribers.suppression import is_suppressed
from tests.support.bounce_mails import MINJI, bounce_records, handle_bounce, sent_mail, subscriber_status

BOUNCED = {"emailAddress": MINJI, "action": "failed", "status": "5.1.1"}
UNKNOWN = {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [BOUNCED]}
FULL = {
    "bounceType": "Transient",
    "bounceSubType": "MailboxFull",
    "bouncedRecipients": [{"emailAddress": MINJI}],
}
COMPLAINT = {"complainedRecipients": [{"emailAddress": MINJI}], "complaintFeedbackType": "abuse"}
NOT_SPAM = {"complainedRecipients": [{"emailAddress": MINJI}], "complaintFeedbackType": "not-spam"}
DELAY = {
    "delayType": "MailboxFull",
    "delayedRecipients": [{"emailAddress": MINJI, "status": "4.2.2", "diagnosticCode": "452 mailbox full"}],
}
DELIVERY = {"recipients": [MINJI], "smtpResponse": "250 ok"}


def notice(mail: Message, key: str, details: dict[str, Any], *, name: str = "notificationType") -> str:
    """A notice about a mail, as a topic of SNS publishes it without the original header."""
    event = key[0].upper() + key[1:]
    described = {"source": mail.envelope_from, "messageId": "0102-ses", "destination": [mail.envelope_to]}
    return json.dumps({name: event, key: details, "mail": described})


def as_mail(text: str) -> bytes:
    """The mail that a subscription of the topic by e-mail sends."""
    footer = (
        "\n\n--\nIf you wish to stop receiving notifications from this topic, please visit the link below"
    )
    header = (
        "From: SES <no-reply@sns.amazonaws.com>\nTo: ses@paperboy.example\nSubject: AWS Notification Message"
    )
    return f"{header}\nContent-Type: text/plain; charset=UTF-8\n\n{text}{footer}\n".encode()


def in_envelope(text: str) -> bytes:
    """What SNS sends to a web address or a queue."""
    return json.dumps({"Type": "Notification", "MessageId": "1", "Message": text}).encode()


@pytest.mark.parametrize("wrapped", [as_mail, in_envelope, str.encode])
def test_a_hard_bounce_suppresses_however_the_notice_comes(database: Database, wrapped: Any) -> None:
    mail = sent_mail(database)
    assert handle_bounce(database, wrapped(notice(mail, "bounce", UNKNOWN))) == "suppressed"
    assert subscriber_status(database) == "bounced"


@pytest.mark.parametrize(
    ("key", "details", "kind", "status", "action"),
    [
        ("bounce", UNKNOWN, "bounce", "5.1.1", "suppressed"),
        ("bounce", FULL, "bounce", "5.2.2", "counted"),
        ("complaint", COMPLAINT, "complaint", "", "suppressed"),
        ("complaint", NOT_SPAM, "other", "", "kept"),
        ("deliveryDelay", DELAY, "delay", "4.2.2", "left alone"),
        ("delivery", DELIVERY, "delivered", "", "left alone"),
    ],
)
def test_each_event_is_read(
    sqlite_database: Database, key: str, details: dict[str, Any], kind: str, status: str, action: str
) -> None:
    raw = as_mail(notice(sent_mail(sqlite_database), key, details, name="eventType"))
    assert handle_bounce(sqlite_database, raw) == action
    [record] = bounce_records(sqlite_database)
    assert (record.kind, record.status) == (kind, status)


def test_words_about_the_sender_count_more_than_the_code_of_a_notice(sqlite_database: Database) -> None:
    refused = BOUNCED | {"diagnosticCode": "smtp; 550 5.1.1 your IP has sent too many messages this hour"}
    raw = as_mail(notice(sent_mail(sqlite_database), "bounce", UNKNOWN | {"bouncedRecipients": [refused]}))
    assert handle_bounce(sqlite_database, raw) == "counted"
    assert subscriber_status(sqlite_database) == "active"


def test_a_forged_notice_suppresses_nobody(sqlite_database: Database) -> None:
    mail = sent_mail(sqlite_database)
    forged = notice(mail, "bounce", UNKNOWN).replace(mail.envelope_from, "news@paperboy.example")
    assert handle_bounce(sqlite_database, as_mail(forged)) == "nobody's"
    with sqlite_database.sessions() as session:
        assert not is_suppressed(session, MINJI)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"notificationType": "Bounce"}',
        '{"notificationType": "Bounce", "bounce": [], "mail": {}}',
        '{"notificationType": ["Bounce"], "bounce": {}, "mail": {}}',
        '{"notificationType": "Open", "open": {}, "mail": {}}',
        '{"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe"}',
        '{"notificationType":' * 5_000,
    ],
)
def test_other_json_is_kept_for_the_operator(text: str) -> None:
    assert parse_bounce(text.encode()).kind == "other"


@pytest.mark.parametrize(
    "entry", ["x", 1, None, [], {"emailAddress": 1}, {"status": {}, "diagnosticCode": []}]
)
def test_a_notice_with_strange_values_can_be_parsed(entry: Any) -> None:
    strange = {"bounceSubType": [], "bouncedRecipients": [entry]}
    mail = {"source": 1, "headers": [1, {"name": 2, "value": None}]}
    parsed = parse_bounce(
        json.dumps({"notificationType": "Bounce", "bounce": strange, "mail": mail}).encode()
    )
    assert (parsed.kind, parsed.recipient_addresses) == ("bounce", ())
