"""Builds messages: a mail and a recipient become the headers and MIME parts that go over the wire."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import parseaddr
from typing import NamedTuple

from core.languages import Language
from emails.content import Content, MailSpec
from emails.identity import LINK_PATHS, MailIdentity, ascii_address
from emails.kinds import RULES
from emails.mime.body import Body
from emails.mime.headers import address_header, date_header, phrase_header, plain_header, text_header
from emails.placeholders import GREETING, fill_placeholders
from emails.rendering.greeting import greeting, greeting_html
from emails.rendering.size import size_of
from subscribers.addresses import MAX_NAME_LENGTH
from subscribers.tokens import LinkPurpose, make_token


class Recipient(NamedTuple):
    """To whom a mail goes; their links carry the `handle`."""

    email: str
    name: str
    handle: str


PREVIEW_RECIPIENT = Recipient("reader@example.org", "", "0" * 16)  # a person who does not exist


@dataclass(frozen=True)
class Message:
    """What a transport sends: the envelope, and the message as it goes over the wire.

    Lines end in CRLF, and no line begins with a dot, so SMTP needs no dot-stuffing (RFC 5321, 4.5.2). The parts
    are not joined, because most of them are the same objects for all recipients.
    """

    envelope_from: str
    envelope_to: str
    parts: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """The number of bytes."""
        return sum(map(len, self.parts))

    @property
    def data(self) -> bytes:
        """The whole message."""
        return b"".join(self.parts)


def longest_placeholders(identity: MailIdentity) -> dict[str, str]:
    """The longest value that each placeholder can have, for any recipient on any day."""
    recipient = Recipient("reader@example.org", "&" * MAX_NAME_LENGTH, "0" * 16)
    # A character takes up to 5 bytes in HTML (an ampersand), and up to 12 in quoted-printable (an emoji).
    name = "😀" * MAX_NAME_LENGTH + "&" * (MAX_NAME_LENGTH // 5)
    links = _links(LINK_PATHS, identity, recipient, date(2026, 1, 1))
    greetings = (greeting_html(language, name) for language in Language)
    return {**links, GREETING: max(greetings, key=lambda text: size_of(text).larger)}


def personalized(
    spec: MailSpec, content: Content, recipient: Recipient, identity: MailIdentity, now: datetime
) -> tuple[str, str]:
    """HTML and text with the recipient's own parts filled in, as of `now`."""
    links = _links(LINK_PATHS, identity, recipient, now.date())
    in_html = {**links, GREETING: greeting_html(spec.language, recipient.name)}
    in_text = {**links, GREETING: greeting(spec.language, recipient.name)}
    return (
        fill_placeholders(content.html, content.nonce, in_html),
        fill_placeholders(content.text, content.nonce, in_text),
    )


def build_message(
    spec: MailSpec,
    content: Content,
    recipient: Recipient,
    identity: MailIdentity,
    *,
    message_id: str,
    now: datetime,
) -> Message:
    """The message for one recipient. The same arguments give the same bytes."""
    return MessageTemplate(spec, content, identity).build(recipient, message_id=message_id, now=now)


class MessageTemplate:
    """A mail that is encoded once for all its recipients: only a few headers and the placeholders differ."""

    def __init__(self, spec: MailSpec, content: Content, identity: MailIdentity) -> None:
        self._identity, self._language = identity, spec.language
        self._is_list_mail = RULES[spec.kind].has_list_headers
        self._text, self._html = Body(content.text, content.nonce), Body(content.html, content.nonce)
        names = {*self._text.names, *self._html.names}
        self._purposes = {purpose for purpose in LINK_PATHS if purpose in names}
        if self._is_list_mail:
            self._purposes.add(LinkPurpose.UNSUBSCRIBE)
        anonymous = greeting(spec.language, ""), greeting_html(spec.language, "")
        self._anonymous_greetings = anonymous[0].encode(), anonymous[1].encode()
        # Neither encoding can produce "=_", so the boundary cannot appear in a body.
        boundary = f"=_{hashlib.sha256(content.nonce.encode()).hexdigest()[:32]}"
        self._headers = b"".join(_shared_headers(spec, content, identity, boundary))
        self._before_text = b"\r\n" + _part_header("text/plain", self._text, boundary)
        self._beginning_hash = hashlib.sha256(self._before_text.removeprefix(b"\r\n") + self._text.beginning)
        self._before_html = b"\r\n" + _part_header("text/html", self._html, boundary)
        self._end = f"\r\n--{boundary}--\r\n".encode()

    def build(
        self, recipient: Recipient, *, message_id: str, now: datetime, in_reply_to: str = ""
    ) -> Message:
        """The message for one recipient. The same arguments give the same bytes.

        `in_reply_to` is the Message-ID of the mail that this one corrects (RFC 5322, 3.6.4).

        Raises:
            ValueError: a part of a header is not ASCII.
        """
        identity = self._identity
        text_greeting, html_greeting = self._greetings(recipient.name)
        links = _links(self._purposes, identity, recipient, now.date())
        values: dict[str, bytes] = {purpose: link.encode() for purpose, link in links.items()}
        text = self._text.filled({**values, GREETING: text_greeting})
        html = self._html.filled({**values, GREETING: html_greeting})
        own = b"".join(self._own_headers(recipient, links, message_id, now))
        if in_reply_to:
            own += plain_header("In-Reply-To", f"<{in_reply_to}>")
            own += plain_header("References", f"<{in_reply_to}>")
        headers: tuple[bytes, ...] = (own, self._headers)
        if identity.signer:
            body_hash = self._body_hash((*text[1:], self._before_html, *html, self._end))
            signatures = identity.signer.signatures(own + self._headers, body_hash, identity.domain, now)
            headers = (signatures, *headers)
        parts = (*headers, self._before_text, *text, self._before_html, *html, self._end)
        bounce_token = make_token(identity.key, LinkPurpose.BOUNCE, recipient.handle, now.date())
        return Message(f"bounces+{bounce_token}@{identity.domain}", recipient.email, parts)

    def _body_hash(self, parts: Iterable[bytes]) -> bytes:
        """The SHA-256 of the body: what all recipients have in common, hashed once, and then the parts."""
        body_hash = self._beginning_hash.copy()
        for part in parts:
            body_hash.update(part)
        return body_hash.digest()

    def _greetings(self, name: str) -> tuple[bytes, bytes]:
        """The greeting in the text and in the HTML."""
        if not name:
            return self._anonymous_greetings
        return greeting(self._language, name).encode(), greeting_html(self._language, name).encode()

    def _own_headers(
        self, recipient: Recipient, links: Mapping[str, str], message_id: str, now: datetime
    ) -> Iterator[bytes]:
        """The headers that differ between recipients."""
        yield date_header(now)
        # A letter does not use the name: anybody can have entered it together with the address.
        yield address_header("To", recipient.name if self._is_list_mail else "", recipient.email)
        yield plain_header("Message-ID", f"<{message_id}>")
        if self._is_list_mail:
            link = links[LinkPurpose.UNSUBSCRIBE]
            token = link.rpartition("/")[2]
            mailto = f"mailto:unsubscribe+{token}@{self._identity.domain}?subject=unsubscribe"
            yield plain_header("List-Unsubscribe", f"<{link}>,", f"<{mailto}>")


def _links(
    purposes: Iterable[LinkPurpose], identity: MailIdentity, recipient: Recipient, today: date
) -> dict[str, str]:
    about = {LinkPurpose.MOVE: recipient.email}  # the link confirms this address and no other
    return {
        purpose: f"{identity.base_url}/{LINK_PATHS[purpose]}/"
        + make_token(identity.key, purpose, recipient.handle, today, about.get(purpose, ""))
        for purpose in purposes
    }


def _shared_headers(
    spec: MailSpec, content: Content, identity: MailIdentity, boundary: str
) -> Iterator[bytes]:
    """The headers that are the same for all recipients."""
    rules = RULES[spec.kind]
    yield address_header("From", parseaddr(identity.sender)[0], ascii_address(identity.address))
    if identity.reply_to:
        yield address_header("Reply-To", "", ascii_address(identity.reply_to))
    yield text_header("Subject", content.subject)
    if rules.has_list_headers:
        # A list keeps its identifier for ever (RFC 2919, 3), so it names neither a frequency nor a kind of mail.
        yield phrase_header("List-Id", identity.name, f"paperboy.{identity.domain}")
        yield plain_header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
        yield plain_header("List-Help", f"<{identity.base_url}/>")
        yield plain_header("List-Owner", f"<mailto:{identity.owner}>")
        yield plain_header("List-Archive", f"<{identity.archive}>")
        yield plain_header("List-Post", "NO")
    if rules.is_bulk:
        yield plain_header("Precedence", "bulk")
    yield plain_header("Feedback-ID", _feedback_id(spec))
    yield plain_header("Auto-Submitted", "auto-generated")
    yield plain_header("Content-Language", ", ".join(spec.language.texts))
    yield plain_header("MIME-Version", "1.0")
    yield plain_header("Content-Type", "multipart/alternative;", f'boundary="{boundary}"')


def _feedback_id(spec: MailSpec) -> str:
    """Four names by which mailbox providers sum complaints up. They stay the same from week to week."""
    kind = spec.kind.replace("_", "-")
    audience = spec.frequency if RULES[spec.kind].is_bulk else "letter"
    return f"{kind}-{spec.language}:{audience}:{kind}:paperboy"


def _part_header(mime_type: str, body: Body, boundary: str) -> bytes:
    return b"".join(
        (
            f"--{boundary}\r\n".encode(),
            plain_header("Content-Type", f"{mime_type}; charset=utf-8"),
            plain_header("Content-Transfer-Encoding", body.encoding),
            b"\r\n",
        )
    )
