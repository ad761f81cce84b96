"""Header fields as bytes: RFC 5322 lines and RFC 2047 words, where email.policy goes wrong.

The standard library encodes long List-Unsubscribe fields as words, splits Korean subjects so that
a space is lost, and writes encoded words inside addresses.
"""

import base64
import re
from datetime import datetime
from email.utils import formatdate
from functools import lru_cache

_FOLD = "\r\n "
_LINE = 76  # of a field with encoded words (RFC 2047, 2); a word may have 75
_AROUND_WORD = len("=?utf-8?b??=")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


def clean(value: str) -> str:
    """The value with every control sign and line break turned into one space."""
    return _UNSAFE.sub(" ", value).strip()


def text_header(name: str, value: str) -> bytes:
    """An unstructured field such as Subject."""
    value = clean(value)
    looks_encoded = "=?" in value
    if value.isascii() and not looks_encoded and len(name) + 2 + len(value) <= _LINE:
        return f"{name}: {value}\r\n".encode()
    return _folded(name, _words(value, name))


def address_header(name: str, display: str, address: str) -> bytes:
    """A field with one address (ASCII, domain in IDNA) and perhaps a display name."""
    address = _plain(address)
    display = clean(display)
    if not display:
        return f"{name}: {address}\r\n".encode()
    if _ATOMS.fullmatch(display) and "=?" not in display and len(display) < 60:
        return f"{name}: {display} <{address}>\r\n".encode()
    return _folded(name, [*_words(display, name), f"<{address}>".encode()])


def plain_header(name: str, *parts: str) -> bytes:
    """A structured field written as it is, one part a line.

    Raises:
        ValueError: a part is not ASCII, breaks the line or is longer than a line may be.
    """
    for part in parts:
        if len(name) + 2 + len(_plain(part)) > 998:
            raise ValueError(f"the header {name} has a line of more than 998 octets")
    return f"{name}: {_FOLD.join(parts)}\r\n".encode()


def date_header(moment: datetime) -> bytes:
    """The Date field."""
    return _date_field(int(moment.timestamp()))


@lru_cache(maxsize=16)
def _date_field(seconds: int) -> bytes:
    return f"Date: {formatdate(seconds)}\r\n".encode()


def _plain(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{value!r} cannot stand in a header")
    return value


def _folded(name: str, lines: list[bytes]) -> bytes:
    return f"{name}: ".encode() + b"\r\n ".join(lines) + b"\r\n"


def _words(value: str, name: str) -> list[bytes]:
    """Encoded words, none splitting a character; together they are the value of the field `name`."""
    words: list[bytes] = []
    chunk, room = b"", _room(len(name) + 2)
    for sign in value:
        raw = sign.encode()
        if len(chunk) + len(raw) > room:
            words.append(chunk)
            chunk, room = b"", _room(1)
        chunk += raw
    return [b"=?utf-8?b?" + base64.b64encode(word) + b"?=" for word in (*words, chunk)]


def _room(taken: int) -> int:
    """How many bytes of text the word of a line can hold, of which `taken` octets are in use."""
    return (_LINE - taken - _AROUND_WORD) // 4 * 3
