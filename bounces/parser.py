"""Reads returned mail: what kind it is, who was not reached, and why. Pure: nothing is looked up or done.

`read(raw).kind`, `read(raw).status`, `read(raw).recipients`: of any bytes, within bounds, never an error.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bounces.classifier import (
    is_auto_reply,
    is_bounce_in_words,
    is_complaint_in_words,
    is_delay_in_words,
    is_from_server,
)
from bounces.dsn import Recipient, addresses_in, recipients_of_reports
from bounces.mime_parser import Unpacked, unpack, values
from bounces.plaintext_parser import Found, Notice, failures, notice_in, words_about
from bounces.status_codes import status_of, tells_of_failure

Kind = Literal["bounce", "delay", "delivered", "complaint", "unsubscribe", "auto-reply", "other"]
Purpose = Literal["bounce", "unsubscribe"]

_DELIVERED_TO = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to", "cc", "x-rcpt-to")
_SENT_TO = (
    "to", "cc", "x-original-to", "delivered-to", "envelope-to", "original-recipient", "x-failed-recipients"
)  # fmt: skip
_TOKEN = re.compile(r"\b(bounces|unsubscribe)\+([A-Za-z0-9_-]{16,64})@", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<([^<>\s@]{1,250}@[^<>\s@]{1,250})>")
_MESSAGE_ID_LINE = re.compile(
    r"(?:message[- ]?id|original-message-id)\W{1,10}<?([^<>\s@]{4,250}@[\w.-]{1,250})", re.IGNORECASE
)

_NO_COMPLAINTS = {"not-spam", "auth-failure", "dmarc", "virus"}


@dataclass(frozen=True)
class Token:
    """A token in an address of ours, `bounces+TEXT@…` or `unsubscribe+TEXT@…`; not checked."""

    purpose: Purpose
    text: str


@dataclass(frozen=True)
class Returned:
    """A mail that came in.

    `recipients` are those it reports on: the ones not reached, or for a delay, a delivery or a complaint
    those it is about. `notice` is what it says in words. `addressed` are the tokens in the addresses that
    it was sent to, `enclosed` those in the mail it returns; `message_ids` those that this mail, or the
    report, names (without brackets). `sender` is the address it comes from.
    """

    kind: Kind
    recipients: tuple[Recipient, ...]
    notice: str
    addressed: tuple[Token, ...]
    enclosed: tuple[Token, ...]
    message_ids: tuple[str, ...]
    sender: str

    @property
    def status(self) -> str:
        """The enhanced status code of the first recipient, like 5.1.1, or nothing."""
        return self.recipients[0].status if self.recipients else ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of the recipients, as tried and as first sent to."""
        named = (name for entry in self.recipients for name in (entry.address, entry.original))
        return tuple(dict.fromkeys(name for name in named if name))


def read(raw: bytes) -> Returned:
    """What a mail says that came to an address for returned mail: RFC 3464, 5965, or words alone."""
    mail = unpack(raw)
    notice = _notice(mail)
    mail = replace(mail, original=mail.original or notice.original)
    addressed = _tokens(mail.values(*_DELIVERED_TO))
    kind, recipients = _judged(mail, notice, addressed)
    return Returned(
        kind=kind,
        recipients=tuple(recipients),
        notice=notice.text,
        addressed=addressed,
        enclosed=_tokens(values(mail.original, "return-path", "list-unsubscribe", "x-original-to", "from")),
        message_ids=_message_ids(mail, notice),
        sender=next(iter(addresses_in(mail.value("from"))), ""),
    )


def _notice(mail: Unpacked) -> Notice:
    """The text of a mail without that of the mail it returns."""
    notices = [notice_in(text) for text in mail.texts[:4]]
    text = "\n\n".join(notice.text for notice in notices)
    return Notice(text, next((notice.original for notice in notices if notice.original), ()))


def _judged(mail: Unpacked, notice: Notice, addressed: Sequence[Token]) -> tuple[Kind, list[Recipient]]:
    if mail.feedback or is_complaint_in_words(mail, notice):
        return _complaint(mail)
    reported = recipients_of_reports(mail.reports)
    if not reported and re.search(r"(?mi)^final-recipient[ \t]*:", notice.text):
        reported = recipients_of_reports([notice.text])
    if reported:
        return _reported(mail, notice, reported)
    if mail.is_receipt:
        return "auto-reply", []
    if any(token.purpose == "unsubscribe" for token in addressed) and not is_from_server(mail):
        is_answer = is_auto_reply(mail) and "unsubscribe" not in mail.value("subject").lower()
        return ("auto-reply" if is_answer else "unsubscribe"), []
    if is_bounce_in_words(mail, notice):
        return _told(mail, notice)
    return ("auto-reply" if is_auto_reply(mail) else "other"), []


# --- reports ------------------------------------------------------------------------


def _reported(mail: Unpacked, notice: Notice, recipients: list[Recipient]) -> tuple[Kind, list[Recipient]]:
    """A report with parts for programs; what they leave out is in the words beside them."""
    for action, kind in (("failed", "bounce"), ("delayed", "delay")):
        if concerned := [entry for entry in recipients if entry.action == action]:
            completed = [_completed(entry, mail, notice, alone=len(concerned) == 1) for entry in concerned]
            return kind, completed  # type: ignore[return-value]  # a Kind, as the pairs above say
    return "delivered", recipients


def _completed(entry: Recipient, mail: Unpacked, notice: Notice, *, alone: bool) -> Recipient:
    address = entry.address
    if not address:
        found = _found_in_words(mail, notice)
        address = found[0].address if found else ""
    if entry.status and not entry.status.endswith((".0.0", ".4.7")):
        return replace(entry, address=address)
    words = words_about(address, notice.text) if address else ""
    if alone and not tells_of_failure(words):
        words = notice.text
    status = status_of(f"{entry.diagnostic} {words}", entry.status, is_delay=entry.action == "delayed")
    return replace(entry, address=address, status=status or entry.status)


def _told(mail: Unpacked, notice: Notice) -> tuple[Kind, list[Recipient]]:
    """A report in words alone."""
    found = _found_in_words(mail, notice)
    is_delay = is_delay_in_words(mail.value("subject"), notice.text)
    recipients = []
    for entry in found:
        words = entry.words if tells_of_failure(entry.words) else words_about(entry.address, notice.text)
        if not tells_of_failure(words):
            words = notice.text
        status = status_of(words, is_delay=is_delay)
        if status.endswith(".0.0"):
            status = status_of(notice.text, status, is_delay=is_delay)
        recipients.append(
            Recipient(
                entry.address,
                status,
                "delayed" if is_delay else "failed",
                " ".join(words.split())[:1_000],
                entry.original,
            )
        )
    if not recipients and (status := status_of(notice.text, is_delay=is_delay)):
        words = " ".join(notice.text.split())
        recipients = [Recipient("", status, "delayed" if is_delay else "failed", words[:1_000])]
    return ("delay" if is_delay else "bounce"), recipients


def _found_in_words(mail: Unpacked, notice: Notice) -> list[Found]:
    sent_to = addresses_in(" ".join(values(mail.original, *_SENT_TO)))
    if named := addresses_in(" ".join(mail.values("x-failed-recipients"))):
        told = {entry.address.lower(): entry for entry in failures(notice.text, (), sent_to)}
        return [told.get(name.lower(), Found(name, "")) for name in named]
    senders = [
        *mail.values(*_DELIVERED_TO),
        *mail.values("from", "return-path", "sender"),
        *values(mail.original, "from", "sender", "return-path"),
    ]
    ours = addresses_in(" ".join(senders))
    found = failures(notice.text, ours, sent_to)
    readers = [name for name in sent_to if name not in ours]
    return found or [Found(name, "") for name in readers[:1]]


def _complaint(mail: Unpacked) -> tuple[Kind, list[Recipient]]:
    """A feedback report: who complains is often left out, and then in the mail it returns."""
    told = {
        line.partition(":")[0].strip().lower(): line.partition(":")[2].strip()
        for line in mail.feedback.splitlines()
    }
    kind = told.get("feedback-type", "abuse").lower()
    if kind in _NO_COMPLAINTS:
        return "other", []
    named = " ".join(told.get(name, "") for name in ("original-rcpt-to", "removal-recipient"))
    sent_to = values(mail.original, "x-hmxmroriginalrecipient", "x-original-to", "delivered-to", "to")
    readers = addresses_in(named) or addresses_in(" ".join(sent_to))
    return "complaint", [Recipient(name, "", "delivered", kind) for name in readers]


# --- what names a delivery of ours --------------------------------------------------


def _tokens(lines: Iterable[str]) -> tuple[Token, ...]:
    found = (match for line in lines for match in _TOKEN.finditer(line))
    tokens = (
        Token("bounce" if match[1].lower() == "bounces" else "unsubscribe", match[2]) for match in found
    )
    return tuple(dict.fromkeys(tokens))


def _message_ids(mail: Unpacked, notice: Notice) -> tuple[str, ...]:
    named = " ".join(
        [
            *values(mail.original, "message-id"),
            *mail.values("in-reply-to", "references", "x-original-message-id"),
        ]
    )
    report = "\n".join((*mail.reports, mail.feedback, notice.text))
    found = [*_MESSAGE_ID.findall(named), *_MESSAGE_ID_LINE.findall(report)]
    return tuple(dict.fromkeys(found))[:20]
