"""Header fields as bytes: RFC 5322 lines and RFC 2047 words, where email.policy goes wrong.

The standard library encodes long List-Unsubscribe fields as words, splits Korean subjects so that
a space is lost, and writes encoded words inside addresses.
"""

import base64
import re
from datetime import datetime
from email.utils import formatdate

_WORD_BYTES = 45  # 60 in base64, with =?utf-8?b? and ?= a word of 72; RFC 2047 allows 75
_LINE = 76
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")


def clean(value: str) -> str:
    """The value with every control sign and line break turned into one space."""
    return _UNSAFE.sub(" ", value).strip()


def text_header(name: str, value: str) -> bytes:
    """An unstructured field such as Subject."""
    value = clean(value)
    looks_encoded = "=?" in value
    if value.isascii() and not looks_encoded and len(name) + 2 + len(value) <= _LINE:
        return f"{name}: {value}\r\n".encode()
    return f"{name}: ".encode() + b"\r\n ".join(_words(value)) + b"\r\n"


def address_header(name: str, display: str, address: str) -> bytes:
    """A field with one address (ASCII, domain in IDNA) and perhaps a display name."""
    address = _plain(address)
    display = clean(display)
    if not display:
        return f"{name}: {address}\r\n".encode()
    if _ATOMS.fullmatch(display) and "=?" not in display and len(display) < 60:
        return f"{name}: {display} <{address}>\r\n".encode()
    return f"{name}: ".encode() + b"\r\n ".join([*_words(display), f"<{address}>".encode()]) + b"\r\n"


def plain_header(name: str, *parts: str) -> bytes:
    """A structured field written as it is, one part a line.

    Raises:
        ValueError: a part is not ASCII, breaks the line or is longer than a line may be.
    """
    lines = [_plain(part) for part in parts]
    if any(len(name) + 2 + len(line) > 998 for line in lines):
        raise ValueError(f"the header {name} has a line of more than 998 octets")
    return f"{name}: ".encode() + b"\r\n ".join(line.encode() for line in lines) + b"\r\n"


def date_header(moment: datetime) -> bytes:
    """The Date field."""
    return f"Date: {formatdate(moment.timestamp())}\r\n".encode()


def _plain(value: str) -> str:
    if not value.isascii() or _UNSAFE.search(value):
        raise ValueError(f"{value!r} cannot stand in a header")
    return value


def _words(value: str) -> list[bytes]:
    """Encoded words of at most 75 octets, none splitting a character; together they are the value."""
    words: list[bytes] = []
    chunk = b""
    for sign in value:
        raw = sign.encode()
        if len(chunk) + len(raw) > _WORD_BYTES:
            words.append(chunk)
            chunk = b""
        chunk += raw
    words.append(chunk)
    return [b"=?utf-8?b?" + base64.b64encode(word) + b"?=" for word in words if word or len(words) == 1]
