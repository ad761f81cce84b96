"""An edition and a reader to the bytes on the wire: headers, MIME parts, encodings. Opens nothing."""

import base64
import hashlib
import quopri
import re
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import parseaddr

from emails.headers import address_header, date_header, plain_header, text_header
from emails.models import EditionRow
from emails.personal import fill, greeting, html_greeting
from subscribers.accounts import NAME_LENGTH
from subscribers.links import make_token

PAGES = {"confirm": "c", "move": "m", "preferences": "p", "unsubscribe": "u"}  # where each link leads


@dataclass(frozen=True)
class House:
    """What all mails share: the sender, where its pages are, and the key that signs links."""

    sender: str
    base_url: str
    key: bytes

    @property
    def address(self) -> str:
        """The sender's address."""
        return parseaddr(self.sender)[1]

    @property
    def archive(self) -> str:
        """The address of the issues on the web."""
        return f"{self.base_url}/archive"

    @property
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
    """What the transport sends: envelope and bytes with CRLF line ends."""

    envelope_from: str
    envelope_to: str
    data: bytes


def widest(house: House) -> dict[str, str]:
    """The longest personal parts that any reader can have on any day."""
    reader = Reader("reader@example.org", "&" * 80, "0" * 16, "ko")
    # A sign takes up to 5 bytes in HTML (an ampersand) and up to 12 in quoted-printable (an emoji).
    name = "😀" * NAME_LENGTH + "&" * (NAME_LENGTH // 5)
    return {**_links(house, reader, date(2026, 1, 1)), "greeting": html_greeting("ko", name)}


def filled(content: Content, reader: Reader, house: House, now: datetime) -> tuple[str, str]:
    """HTML and text with the reader's own parts filled in, as of `now`."""
    links = _links(house, reader, now.date())
    html = fill(
        content.html, content.nonce, {**links, "greeting": html_greeting(content.language, reader.name)}
    )
    text = fill(content.text, content.nonce, {**links, "greeting": greeting(content.language, reader.name)})
    return html, text


def build(content: Content, reader: Reader, house: House, *, message_id: str, now: datetime) -> Message:
    """The mail of one reader; the same arguments give the same bytes."""
    html, text = filled(content, reader, house, now)
    boundary = f"=_{hashlib.sha256(message_id.encode()).hexdigest()[:32]}"
    data = b"".join(
        (
            *_headers(content, reader, house, message_id, now),
            plain_header("MIME-Version", "1.0"),
            plain_header("Content-Type", "multipart/alternative;", f'boundary="{boundary}"'),
            b"\r\n",
            _part("text/plain", text, boundary),
            _part("text/html", html, boundary),
            f"--{boundary}--\r\n".encode(),
        )
    )
    bounce = make_token(house.key, "bounce", reader.handle, now.date())
    return Message(f"bounces+{bounce}@{house.domain}", reader.email, data)


def _links(house: House, reader: Reader, today: date) -> dict[str, str]:
    about = {"move": reader.email}  # confirms this address and no other
    return {
        purpose: f"{house.base_url}/{page}/"
        + make_token(house.key, purpose, reader.handle, today, about.get(purpose, ""))
        for purpose, page in PAGES.items()
    }


def _headers(content: Content, reader: Reader, house: House, message_id: str, now: datetime) -> list[bytes]:
    display, address = parseaddr(house.sender)
    local = address.rpartition("@")[0]
    stream = content.slot.partition(":")[0]
    feedback = re.sub(r"[^A-Za-z0-9-]", "-", content.slot)
    # A letter names nobody: whoever signed up for an address wrote the name.
    name = reader.name if content.frequency else ""
    return [
        date_header(now),
        address_header("From", display, f"{local}@{house.domain}"),
        address_header("To", name, reader.email),
        text_header("Subject", content.subject),
        plain_header("Message-ID", f"<{message_id}>"),
        *(_list_headers(content, reader, house, now.date()) if content.frequency else ()),
        plain_header("Feedback-ID", f"{feedback}:{content.frequency or 'letter'}:{stream}:paperboy"),
        plain_header("Auto-Submitted", "auto-generated"),
        plain_header("Content-Language", "ko, en" if content.language == "both" else content.language),
    ]


def _list_headers(content: Content, reader: Reader, house: House, today: date) -> list[bytes]:
    local = house.address.rpartition("@")[0]
    token = make_token(house.key, "unsubscribe", reader.handle, today)
    mailto = f"mailto:unsubscribe+{token}@{house.domain}?subject=unsubscribe"
    return [
        plain_header(
            "List-Id", f"Paperboy {content.frequency}", f"<{content.frequency}.paperboy.{house.domain}>"
        ),
        plain_header("List-Unsubscribe", f"<{_links(house, reader, today)['unsubscribe']}>,", f"<{mailto}>"),
        plain_header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        plain_header("List-Help", f"<{house.base_url}/>"),
        plain_header("List-Owner", f"<mailto:{local}@{house.domain}>"),
        plain_header("List-Archive", f"<{house.archive}>"),
        plain_header("List-Post", "NO"),
    ]


def _part(mime_type: str, text: str, boundary: str) -> bytes:
    encoding, body = encode(text)
    return b"".join(
        (
            f"--{boundary}\r\n".encode(),
            plain_header("Content-Type", f"{mime_type}; charset=utf-8"),
            plain_header("Content-Transfer-Encoding", encoding),
            b"\r\n",
            body,
            b"\r\n",
        )
    )


def encode(text: str) -> tuple[str, bytes]:
    """A text part's transfer encoding and encoded bytes: the smaller of base64 and quoted-printable.

    Python alone picks quoted-printable for Korean, which is half as large again.
    """
    raw = re.sub(r"\r\n?", "\n", text).encode("utf-8", "replace")
    quoted = quopri.encodestring(raw)
    # A line that begins with "From " becomes ">From " in some mailboxes, and DKIM fails.
    quoted = re.sub(rb"^From ", b"=46rom ", quoted, flags=re.MULTILINE).replace(b"\n", b"\r\n")
    packed = base64.encodebytes(raw.replace(b"\n", b"\r\n")).replace(b"\n", b"\r\n")
    return ("quoted-printable", quoted) if len(quoted) <= len(packed) else ("base64", packed)


def content_of(row: EditionRow) -> Content:
    """The content of a stored edition."""
    return Content(row.slot, row.language, row.frequency, row.subject, row.html, row.text, row.nonce)
