"""Parses the JSON notices of Amazon SES about bounces, complaints, delays and deliveries. Pure.

SES publishes a notice to a topic of Amazon SNS. It comes as the text of a mail if the topic has a subscription by
e-mail, or as JSON, alone or in the envelope of SNS. See the SES Developer Guide, "Amazon SNS notification contents".
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bounces.dsn import MAX_DIAGNOSTIC_CHARS, MAX_RECIPIENTS, DsnAction, ReportedRecipient, find_addresses
from bounces.mime_parser import HeaderFields
from delivery.status_codes import status_from_text

MAX_NOTICE_CHARS = 200_000  # SNS allows 256 KB; a notice has the header of the original mail and little else
_MAX_FIELD_CHARS = 2_000
_LINE_BROKEN_BY_SENDMAIL = re.compile(r"!\r?\n ")  # how Sendmail breaks lines that are too long
# What a bounce's sub-type says where the refusing server gave no status. The suppressed addresses are those to which
# SES sends nothing, because a mail to them came back before.
_STATUS_BY_SUBTYPE = {
    "NoEmail": "5.1.1",
    "Suppressed": "5.1.1",
    "OnAccountSuppressionList": "5.1.1",
    "MailboxFull": "5.2.2",
    "MessageTooLarge": "5.3.4",
    "ContentRejected": "5.7.1",
    "AttachmentRejected": "5.7.1",
}


class SesEvent(StrEnum):
    """The events that are read. SES has others, such as clicks."""

    BOUNCE = "Bounce"
    COMPLAINT = "Complaint"
    DELIVERY_DELAY = "DeliveryDelay"
    DELIVERY = "Delivery"


# The object that describes an event, the list of recipients in it, and what happened to their mail.
_DETAILS = {
    SesEvent.BOUNCE: ("bounce", "bouncedRecipients", DsnAction.FAILED),
    SesEvent.COMPLAINT: ("complaint", "complainedRecipients", DsnAction.DELIVERED),
    SesEvent.DELIVERY_DELAY: ("deliveryDelay", "delayedRecipients", DsnAction.DELAYED),
    SesEvent.DELIVERY: ("delivery", "recipients", DsnAction.DELIVERED),
}


@dataclass(frozen=True)
class SesNotice:
    """A notice: its event, the recipients it is about, and the header of the original mail.

    `feedback_type` is that of a complaint (RFC 5965), or empty.
    """

    event: SesEvent
    recipients: tuple[ReportedRecipient, ...]
    original_header: HeaderFields
    feedback_type: str = ""


def find_notice(text: str) -> SesNotice | None:
    """The notice in the text of a mail, or in JSON as it is. None if there is none of a known event."""
    notice = _find_object(text)
    if isinstance(notice.get("Message"), str):  # the envelope of SNS
        notice = _find_object(notice["Message"])
    name = _text(notice.get("notificationType")) or _text(notice.get("eventType"))
    if name not in set(SesEvent):
        return None
    event = SesEvent(name)
    key, list_key, action = _DETAILS[event]
    details, mail = notice.get(key), notice.get("mail")
    if not (isinstance(details, dict) and isinstance(mail, dict) and isinstance(details.get(list_key), list)):
        return None
    recipients = tuple(_recipient(entry, details, action) for entry in details[list_key][:MAX_RECIPIENTS])
    feedback_type = _text(details.get("complaintFeedbackType"))
    return SesNotice(event, recipients, tuple(_original_header(mail)), feedback_type)


def _find_object(text: str) -> dict[str, Any]:
    begin = text.find("{")
    if begin < 0 or len(text) > MAX_NOTICE_CHARS or text[:begin].strip():
        return {}
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(_LINE_BROKEN_BY_SENDMAIL.sub("", text[begin:]))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _recipient(named: object, details: dict[str, Any], action: DsnAction) -> ReportedRecipient:
    entry = named if isinstance(named, dict) else {"emailAddress": named}
    address = next(iter(find_addresses(_text(entry.get("emailAddress")))), "")
    diagnostic = _text(entry.get("diagnosticCode")).removeprefix("smtp; ")[:MAX_DIAGNOSTIC_CHARS]
    if action == DsnAction.DELIVERED:
        return ReportedRecipient(address, "", action, diagnostic)
    stated = _text(entry.get("status")) or _STATUS_BY_SUBTYPE.get(_text(details.get("bounceSubType")), "")
    status = status_from_text(diagnostic, stated, is_delay=action == DsnAction.DELAYED)
    return ReportedRecipient(address, status, action, diagnostic)


def _original_header(mail: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The header of the original mail, as far as the topic is set to include it, and its envelope sender."""
    yield "return-path", _text(mail.get("source"))
    headers = mail.get("headers")
    for field in headers if isinstance(headers, list) else []:
        if isinstance(field, dict):
            yield _text(field.get("name")).lower(), _text(field.get("value"))


def _text(value: object) -> str:
    return value[:_MAX_FIELD_CHARS] if isinstance(value, str) else ""
