"""Parses a bounce mail into a ParsedBounce: what kind of mail it is, which recipients failed, and why.

The parser is pure: it looks nothing up and changes nothing. It accepts any bytes, works within bounds, and
never fails.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bounces.classifier import (
    is_auto_reply,
    is_from_mail_server,
    is_plaintext_bounce,
    is_plaintext_complaint,
    is_plaintext_delay,
)
from bounces.dsn import (
    MAX_DIAGNOSTIC_CHARS,
    DsnAction,
    ReportedRecipient,
    find_addresses,
    parse_delivery_reports,
)
from bounces.mime_parser import ParsedMail, field_values, parse_mail
from bounces.plaintext_parser import (
    BounceText,
    NamedRecipient,
    find_failed_recipients,
    paragraphs_about,
    text_before_original,
)
from bounces.ses_notices import SesEvent, SesNotice, find_notice
from delivery.status_codes import mentions_failure, status_from_text
from subscribers.tokens import LinkPurpose

MAX_MESSAGE_IDS = 20
_MAX_TEXT_PARTS = 4

_DELIVERED_TO = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to", "cc", "x-rcpt-to")
_SENT_TO = (
    "to", "cc", "x-original-to", "delivered-to", "envelope-to", "original-recipient", "x-failed-recipients"
)  # fmt: skip
_TOKEN = re.compile(r"\b(bounces|unsubscribe)\+([A-Za-z0-9_-]{16,64})@", re.IGNORECASE)
_PURPOSES = {"bounces": LinkPurpose.BOUNCE, "unsubscribe": LinkPurpose.UNSUBSCRIBE}
# Ours have visible ASCII characters only. Anything else, such as a NUL, is nothing that a database can look up.
_ID_CHARACTER = "[!-;=?A-~]"
_MESSAGE_ID = re.compile(rf"<({_ID_CHARACTER}{{1,250}}@{_ID_CHARACTER}{{1,250}})>")
_MESSAGE_ID_LINE = re.compile(
    rf"(?:message[- ]?id|original-message-id)\W{{1,10}}<?({_ID_CHARACTER}{{4,250}}@[\w.-]{{1,250}})",
    re.IGNORECASE | re.ASCII,
)
# Feedback reports of these types (RFC 5965 and its registry) are about something else than a complaint.
_NO_COMPLAINTS = {"not-spam", "auth-failure", "dmarc", "virus"}


class BounceKind(StrEnum):
    """What kind of mail came to the inbox for bounces."""

    BOUNCE = "bounce"
    DELAY = "delay"  # a server has not delivered a mail yet, and keeps trying
    DELIVERED = "delivered"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    AUTO_REPLY = "auto-reply"
    OTHER = "other"


_KIND_OF_EVENT = {
    SesEvent.BOUNCE: BounceKind.BOUNCE,
    SesEvent.COMPLAINT: BounceKind.COMPLAINT,
    SesEvent.DELIVERY_DELAY: BounceKind.DELAY,
    SesEvent.DELIVERY: BounceKind.DELIVERED,
}


@dataclass(frozen=True)
class Token:
    """A token from an address such as `bounces+TEXT@…` or `unsubscribe+TEXT@…`. It is not verified yet."""

    purpose: LinkPurpose
    text: str


@dataclass(frozen=True)
class ParsedBounce:
    """A mail from the inbox for bounces.

    `recipients` are the recipients that the mail reports on: the failed ones, or the ones that a delay, a
    delivery or a complaint is about. `text` is what the mail says for people to read. `address_tokens` are
    the tokens in the addresses that the mail was sent to, `original_tokens` those in the original mail that
    it encloses. `message_ids` are the Message-IDs that the mail or its report names, without brackets.
    `sender` is the address in its From field.
    """

    kind: BounceKind
    recipients: tuple[ReportedRecipient, ...]
    text: str
    address_tokens: tuple[Token, ...]
    original_tokens: tuple[Token, ...]
    message_ids: tuple[str, ...]
    sender: str

    @property
    def status(self) -> str:
        """The enhanced status code of the first recipient, like 5.1.1, or an empty string."""
        return self.recipients[0].status if self.recipients else ""

    @property
    def recipient_addresses(self) -> tuple[str, ...]:
        """The addresses of the recipients, both those that were tried and those before forwarding."""
        named = (name for entry in self.recipients for name in (entry.address, entry.original_address))
        return tuple(dict.fromkeys(name for name in named if name))


def parse_bounce(raw: bytes) -> ParsedBounce:
    """Parse a mail that came to an address for bounces.

    It may be a delivery report (RFC 3464), a feedback report (RFC 5965), a notice of Amazon SES, a server's plain
    text, a request to unsubscribe, or anything else. No bytes raise an error.
    """
    mail = parse_mail(raw)
    bounce_text = _text_of(mail)
    mail = replace(mail, original_header=mail.original_header or bounce_text.original_header)
    address_tokens = _find_tokens(mail.values(*_DELIVERED_TO))
    if notice := find_notice("\n".join(mail.texts)):
        mail = replace(mail, original_header=notice.original_header)
        kind, recipients = _kind_of_notice(notice), list(notice.recipients)
    else:
        kind, recipients = _classify(mail, bounce_text, address_tokens)
    original_senders = field_values(
        mail.original_header, "return-path", "list-unsubscribe", "x-original-to", "from"
    )
    return ParsedBounce(
        kind=kind,
        recipients=tuple(recipients),
        text=bounce_text.text,
        address_tokens=address_tokens,
        original_tokens=_find_tokens(original_senders),
        message_ids=_find_message_ids(mail, bounce_text),
        sender=next(iter(find_addresses(mail.value("from"))), ""),
    )


def _kind_of_notice(notice: SesNotice) -> BounceKind:
    if notice.feedback_type in _NO_COMPLAINTS:
        return BounceKind.OTHER
    return _KIND_OF_EVENT[notice.event]


def _text_of(mail: ParsedMail) -> BounceText:
    """The text of a mail, without the text of the original mail that it quotes."""
    parts = [text_before_original(text) for text in mail.texts[:_MAX_TEXT_PARTS]]
    text = "\n\n".join(part.text for part in parts)
    return BounceText(text, next((part.original_header for part in parts if part.original_header), ()))


def _classify(
    mail: ParsedMail, bounce_text: BounceText, address_tokens: Sequence[Token]
) -> tuple[BounceKind, list[ReportedRecipient]]:
    # Machine-readable reports come first, as they are exact. Texts are judged only where there is none.
    if mail.feedback_report or is_plaintext_complaint(mail, bounce_text):
        return _parse_complaint(mail)
    recipients = parse_delivery_reports(mail.delivery_reports)
    if not recipients and re.search(r"(?mi)^final-recipient[ \t]*:", bounce_text.text):
        recipients = parse_delivery_reports([bounce_text.text])
    if recipients:
        return _classify_reported(mail, bounce_text, recipients)
    if mail.is_read_receipt:
        return BounceKind.AUTO_REPLY, []
    is_to_unsubscribe = any(token.purpose == LinkPurpose.UNSUBSCRIBE for token in address_tokens)
    if is_to_unsubscribe and not is_from_mail_server(mail):
        # A holiday notice can reply to this address, too, but does not have the subject of a request.
        is_holiday_notice = is_auto_reply(mail) and "unsubscribe" not in mail.value("subject").lower()
        return (BounceKind.AUTO_REPLY if is_holiday_notice else BounceKind.UNSUBSCRIBE), []
    if is_plaintext_bounce(mail, bounce_text):
        return _parse_plaintext(mail, bounce_text)
    return (BounceKind.AUTO_REPLY if is_auto_reply(mail) else BounceKind.OTHER), []


def _classify_reported(
    mail: ParsedMail, bounce_text: BounceText, recipients: list[ReportedRecipient]
) -> tuple[BounceKind, list[ReportedRecipient]]:
    """The kind of a mail with a delivery report, and the recipients that this kind is about."""
    outcomes = ((DsnAction.FAILED, BounceKind.BOUNCE), (DsnAction.DELAYED, BounceKind.DELAY))
    for action, kind in outcomes:
        if concerned := [entry for entry in recipients if entry.action == action]:
            is_only_one = len(concerned) == 1
            return kind, [_complete(entry, mail, bounce_text, is_only_one) for entry in concerned]
    return BounceKind.DELIVERED, recipients


def _complete(
    entry: ReportedRecipient, mail: ParsedMail, bounce_text: BounceText, is_only_one: bool
) -> ReportedRecipient:
    """Fill in an address or status that the delivery report lacks, from the text around it."""
    address = entry.address
    if not address:
        found = _find_named_recipients(mail, bounce_text)
        address = found[0].address if found else ""
    if entry.status and not entry.status.endswith((".0.0", ".5.0", ".4.7")):
        return replace(entry, address=address)
    text = paragraphs_about(address, bounce_text.text) if address else ""
    if is_only_one and not mentions_failure(text):
        text = bounce_text.text
    status = status_from_text(
        f"{entry.diagnostic} {text}", entry.status, is_delay=entry.action == DsnAction.DELAYED
    )
    return replace(entry, address=address, status=status or entry.status)


def _parse_plaintext(mail: ParsedMail, bounce_text: BounceText) -> tuple[BounceKind, list[ReportedRecipient]]:
    """The kind and the recipients of a bounce that has nothing but a text."""
    is_delay = is_plaintext_delay(mail.value("subject"), bounce_text.text)
    found = _find_named_recipients(mail, bounce_text)
    recipients = [_classify_named(entry, bounce_text.text, is_delay=is_delay) for entry in found]
    if not recipients and (status := status_from_text(bounce_text.text, is_delay=is_delay)):
        recipients = [_reported("", status, bounce_text.text, is_delay=is_delay)]
    return (BounceKind.DELAY if is_delay else BounceKind.BOUNCE), recipients


def _classify_named(entry: NamedRecipient, whole_text: str, *, is_delay: bool) -> ReportedRecipient:
    """Find the status of a recipient in the smallest piece of the text that mentions a failure."""
    text = entry.text if mentions_failure(entry.text) else paragraphs_about(entry.address, whole_text)
    if not mentions_failure(text):
        text = whole_text
    status = status_from_text(text, is_delay=is_delay)
    if status.endswith(".0.0"):
        status = status_from_text(whole_text, status, is_delay=is_delay)
    return _reported(entry.address, status, text, entry.original_address, is_delay=is_delay)


def _reported(
    address: str, status: str, text: str, original_address: str = "", *, is_delay: bool
) -> ReportedRecipient:
    diagnostic = " ".join(text.split())[:MAX_DIAGNOSTIC_CHARS]
    return ReportedRecipient(
        address,
        status,
        DsnAction.DELAYED if is_delay else DsnAction.FAILED,
        diagnostic,
        original_address,
    )


def _find_named_recipients(mail: ParsedMail, bounce_text: BounceText) -> list[NamedRecipient]:
    sent_to = find_addresses(" ".join(field_values(mail.original_header, *_SENT_TO)))
    if failed := find_addresses(" ".join(mail.values("x-failed-recipients"))):
        found = find_failed_recipients(bounce_text.text, (), sent_to)
        by_address = {entry.address.lower(): entry for entry in found}
        return [by_address.get(name.lower(), NamedRecipient(name, "")) for name in failed]
    sender_fields = [
        *mail.values(*_DELIVERED_TO),
        *mail.values("from", "return-path", "sender"),
        *field_values(mail.original_header, "from", "sender", "return-path"),
    ]
    senders = find_addresses(" ".join(sender_fields))
    # Without any address in the text the recipient of the original mail must be the failed one.
    presumed = [NamedRecipient(name, "") for name in sent_to if name not in senders][:1]
    return find_failed_recipients(bounce_text.text, senders, sent_to) or presumed


def _parse_complaint(mail: ParsedMail) -> tuple[BounceKind, list[ReportedRecipient]]:
    """Parse a feedback report (RFC 5965).

    Many providers leave out the address of the person who complained. It is then taken from the original
    mail, if it stands there.
    """
    fields = {
        line.partition(":")[0].strip().lower(): line.partition(":")[2].strip()
        for line in mail.feedback_report.splitlines()
    }
    feedback_type = fields.get("feedback-type", "abuse").lower()
    if feedback_type in _NO_COMPLAINTS:
        return BounceKind.OTHER, []
    named = " ".join(fields.get(name, "") for name in ("original-rcpt-to", "removal-recipient"))
    sent_to = field_values(
        mail.original_header, "x-hmxmroriginalrecipient", "x-original-to", "delivered-to", "to"
    )
    complainants = find_addresses(named) or find_addresses(" ".join(sent_to))
    recipients = [ReportedRecipient(name, "", DsnAction.DELIVERED, feedback_type) for name in complainants]
    return BounceKind.COMPLAINT, recipients


def _find_tokens(values: Iterable[str]) -> tuple[Token, ...]:
    found = (match for value in values for match in _TOKEN.finditer(value))
    tokens = (Token(_PURPOSES[match[1].lower()], match[2]) for match in found)
    return tuple(dict.fromkeys(tokens))


def _find_message_ids(mail: ParsedMail, bounce_text: BounceText) -> tuple[str, ...]:
    fields = [
        *field_values(mail.original_header, "message-id"),
        *mail.values("in-reply-to", "references", "x-original-message-id"),
    ]
    reports = "\n".join((*mail.delivery_reports, mail.feedback_report, bounce_text.text))
    found = [*_MESSAGE_ID.findall(" ".join(fields)), *_MESSAGE_ID_LINE.findall(reports)]
    return tuple(dict.fromkeys(found))[:MAX_MESSAGE_IDS]
