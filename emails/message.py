"""An edition and a reader to the bytes on the wire: headers and MIME parts. Opens nothing."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from email.utils import parseaddr
from functools import cached_property

from delivery.models import EditionRow
from emails.mime.body import Body
from emails.mime.dkim_signing import Signer
from emails.mime.headers import address_header, date_header, plain_header, text_header
from emails.rendering.placeholders import fill, greeting, html_greeting
from subscribers.accounts import NAME_LENGTH
from subscribers.tokens import make_token

PAGES = {"confirm": "c", "move": "m", "preferences": "p", "unsubscribe": "u"}  # where each link leads


@dataclass(frozen=True)
class House:
    """What all mails share: the sender, where its pages are, the key that signs links, and what signs the
    mails, if that is not left to the mail server."""

    sender: str
    base_url: str
    key: bytes = field(repr=False)
    signer: Signer | None = None

    @property
    def address(self) -> str:
        """The sender's address."""
        return parseaddr(self.sender)[1]

    @property
    def archive(self) -> str:
        """The address of the issues on the web."""
        return f"{self.base_url}/archive"

    @cached_property
    def domain(self) -> str:
        """The sender's domain, in ASCII."""
        return self.address.rpartition("@")[2].encode("idna").decode()


@dataclass(frozen=True)
class Reader:
    """Whom a mail goes to."""

    email: str
    name: str
    handle: str
    language: str


@dataclass(frozen=True)
class Content:
    """A rendered mail as it is stored; a letter has no frequency and its kind as slot."""

    slot: str
    language: str
    frequency: str
    subject: str
    html: str
    text: str
    nonce: str


@dataclass(frozen=True)
class Message:
    """What the transport sends: envelope and bytes of the wire, lines ended by CRLF, none beginning with
    a dot (RFC 5321, 4.5.2)."""

    envelope_from: str
    envelope_to: str
    parts: tuple[bytes, ...]  # not joined: most of them are the same for all readers

    @property
    def size(self) -> int:
        """Bytes of the whole."""
        return sum(map(len, self.parts))

    @property
    def data(self) -> bytes:
        """The whole."""
        return b"".join(self.parts)


def widest(house: House) -> dict[str, str]:
    """The longest personal parts that any reader can have on any day."""
    reader = Reader("reader@example.org", "&" * 80, "0" * 16, "ko")
    # A sign takes up to 5 bytes in HTML (an ampersand) and up to 12 in quoted-printable (an emoji).
    name = "😀" * NAME_LENGTH + "&" * (NAME_LENGTH // 5)
    return {**_links(PAGES, house, reader, date(2026, 1, 1)), "greeting": html_greeting("ko", name)}


def filled(content: Content, reader: Reader, house: House, now: datetime) -> tuple[str, str]:
    """HTML and text with the reader's own parts filled in, as of `now`."""
    links = _links(PAGES, house, reader, now.date())
    html = fill(
        content.html, content.nonce, {**links, "greeting": html_greeting(content.language, reader.name)}
    )
    text = fill(content.text, content.nonce, {**links, "greeting": greeting(content.language, reader.name)})
    return html, text


def build(content: Content, reader: Reader, house: House, *, message_id: str, now: datetime) -> Message:
    """The mail of one reader; the same arguments give the same bytes."""
    return Template(content, house).message(reader, message_id=message_id, now=now)


class Template:
    """A mail encoded once for all its readers: only headers and links are filled in for each."""

    def __init__(self, content: Content, house: House) -> None:
        self._content, self._house = content, house
        self._text, self._html = Body(content.text, content.nonce), Body(content.html, content.nonce)
        self._links = {*self._text.names, *self._html.names} & set(PAGES)
        if content.frequency:
            self._links.add("unsubscribe")
        plain, plain_in_html = greeting(content.language, ""), html_greeting(content.language, "")
        self._plain_greetings = plain.encode(), plain_in_html.encode()
        boundary = f"=_{hashlib.sha256(content.nonce.encode()).hexdigest()[:32]}"  # no encoded text has "=_"
        headers = b"".join(_headers_of_all(content, house, boundary))
        self._headers = headers + _part_head("text/plain", self._text, boundary)
        self._before_html = b"\r\n" + _part_head("text/html", self._html, boundary)
        self._end = f"\r\n--{boundary}--\r\n".encode()

    def message(self, reader: Reader, *, message_id: str, now: datetime, in_reply_to: str = "") -> Message:
        """The mail of one reader; the same arguments give the same bytes.

        `in_reply_to` is the Message-ID of the mail that this one corrects (RFC 5322, 3.6.4).

        Raises:
            ValueError: it cannot be written, as a part of a header is not ASCII.
        """
        house = self._house
        text_greeting, greeting_in_html = self._greetings(reader.name)
        links = _links(self._links, house, reader, now.date())
        values = {name: link.encode() for name, link in links.items()}
        text = self._text.filled({**values, "greeting": text_greeting})
        html = self._html.filled({**values, "greeting": greeting_in_html})
        own = b"".join(_headers_of_one(self._content, reader, house, links, message_id, now))
        if in_reply_to:
            own += plain_header("In-Reply-To", f"<{in_reply_to}>") + plain_header(
                "References", f"<{in_reply_to}>"
            )
        parts: tuple[bytes, ...] = (own, self._headers, *text, self._before_html, *html, self._end)
        if house.signer:
            parts = (house.signer.signature(b"".join(parts), house.domain), *parts)
        bounce = make_token(house.key, "bounce", reader.handle, now.date())
        return Message(f"bounces+{bounce}@{house.domain}", reader.email, parts)

    def _greetings(self, name: str) -> tuple[bytes, bytes]:
        """The greeting in the text and in the HTML."""
        if not name:
            return self._plain_greetings
        language = self._content.language
        return greeting(language, name).encode(), html_greeting(language, name).encode()


def _links(purposes: Iterable[str], house: House, reader: Reader, today: date) -> dict[str, str]:
    about = {"move": reader.email}  # confirms this address and no other
    return {
        purpose: f"{house.base_url}/{PAGES[purpose]}/"
        + make_token(house.key, purpose, reader.handle, today, about.get(purpose, ""))
        for purpose in purposes
    }


def _headers_of_one(
    content: Content, reader: Reader, house: House, links: Mapping[str, str], message_id: str, now: datetime
) -> Iterator[bytes]:
    yield date_header(now)
    # A letter names nobody: whoever signed up for an address wrote the name.
    yield address_header("To", reader.name if content.frequency else "", reader.email)
    yield plain_header("Message-ID", f"<{message_id}>")
    if content.frequency:
        link = links["unsubscribe"]
        token = link.rpartition("/")[2]
        mailto = f"mailto:unsubscribe+{token}@{house.domain}?subject=unsubscribe"
        yield plain_header("List-Unsubscribe", f"<{link}>,", f"<{mailto}>")


def _headers_of_all(content: Content, house: House, boundary: str) -> Iterator[bytes]:
    display, address = parseaddr(house.sender)
    local = address.rpartition("@")[0]
    stream = content.slot.partition(":")[0]
    feedback = re.sub(r"[^A-Za-z0-9-]", "-", content.slot)
    yield address_header("From", display, f"{local}@{house.domain}")
    yield text_header("Subject", content.subject)
    if content.frequency:
        list_id = f"<{content.frequency}.paperboy.{house.domain}>"
        yield plain_header("List-Id", f"Paperboy {content.frequency}", list_id)
        yield plain_header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
        yield plain_header("List-Help", f"<{house.base_url}/>")
        yield plain_header("List-Owner", f"<mailto:{local}@{house.domain}>")
        yield plain_header("List-Archive", f"<{house.archive}>")
        yield plain_header("List-Post", "NO")
    yield plain_header("Feedback-ID", f"{feedback}:{content.frequency or 'letter'}:{stream}:paperboy")
    yield plain_header("Auto-Submitted", "auto-generated")
    yield plain_header("Content-Language", "ko, en" if content.language == "both" else content.language)
    yield plain_header("MIME-Version", "1.0")
    yield plain_header("Content-Type", "multipart/alternative;", f'boundary="{boundary}"')
    yield b"\r\n"


def _part_head(mime_type: str, body: Body, boundary: str) -> bytes:
    return b"".join(
        (
            f"--{boundary}\r\n".encode(),
            plain_header("Content-Type", f"{mime_type}; charset=utf-8"),
            plain_header("Content-Transfer-Encoding", body.encoding),
            b"\r\n",
        )
    )


def content_of(row: EditionRow) -> Content:
    """The content of a stored edition."""
    return Content(row.slot, row.language, row.frequency, row.subject, row.html, row.text, row.nonce)
