"""Header fields as bytes: RFC 5322 lines and RFC 2047 encoded words, where `email.policy` makes mistakes.

The standard library encodes long List-Unsubscribe fields as words, loses a space when it splits Korean subjects,
and writes encoded words inside addresses.
"""

import base64
import re
from datetime import datetime
from email.utils import formatdate
from functools import lru_cache

_FOLD = "\r\n "
_MAX_LINE = 76  # characters of a line with encoded words (RFC 2047, 2); a word may have 75
_MAX_STRUCTURED_LINE = 998  # octets (RFC 5322, 2.1.1)
_MAX_PLAIN_DISPLAY = 60  # characters of a display name that stays on one line
_WORD_FRAME = len("=?utf-8?b??=")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


def clean(value: str) -> str:
    """The value with every control character and line break replaced by one space."""
    return _UNSAFE.sub(" ", value).strip()


def text_header(name: str, value: str) -> bytes:
    """An unstructured field such as Subject."""
    value = clean(value)
    looks_encoded = "=?" in value
    if value.isascii() and not looks_encoded and len(name) + 2 + len(value) <= _MAX_LINE:
        return f"{name}: {value}\r\n".encode()
    return _folded(name, _encoded_words(value, name))


def address_header(name: str, display: str, address: str) -> bytes:
    """A field with one address (ASCII, its domain in IDNA) and perhaps a display name."""
    address = _checked(address)
    display = clean(display)
    if not display:
        return f"{name}: {address}\r\n".encode()
    if _ATOMS.fullmatch(display) and "=?" not in display and len(display) < _MAX_PLAIN_DISPLAY:
        return f"{name}: {display} <{address}>\r\n".encode()
    return _folded(name, [*_encoded_words(display, name), f"<{address}>".encode()])


def plain_header(name: str, *parts: str) -> bytes:
    """A structured field written as it is, with each part on its own line.

    Raises:
        ValueError: a part is not printable ASCII, or makes its line too long.
    """
    for part in parts:
        if len(name) + 2 + len(_checked(part)) > _MAX_STRUCTURED_LINE:
            raise ValueError(f"the header {name} has a line of more than {_MAX_STRUCTURED_LINE} octets")
    return f"{name}: {_FOLD.join(parts)}\r\n".encode()


def date_header(moment: datetime) -> bytes:
    """The Date field."""
    return _date_field(int(moment.timestamp()))


@lru_cache(maxsize=16)
def _date_field(seconds: int) -> bytes:
    return f"Date: {formatdate(seconds)}\r\n".encode()


def _checked(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{value!r} cannot be written in a header")
    return value


def _folded(name: str, lines: list[bytes]) -> bytes:
    return f"{name}: ".encode() + b"\r\n ".join(lines) + b"\r\n"


def _encoded_words(value: str, name: str) -> list[bytes]:
    """Encoded words that together are the value of the field `name`; none of them splits a character."""
    words: list[bytes] = []
    chunk, room = b"", _room_after(len(name) + 2)
    for character in value:
        raw = character.encode()
        if len(chunk) + len(raw) > room:
            words.append(chunk)
            chunk, room = b"", _room_after(1)
        chunk += raw
    return [b"=?utf-8?b?" + base64.b64encode(word) + b"?=" for word in (*words, chunk)]


def _room_after(used: int) -> int:
    """How many bytes of text an encoded word can hold in a line of which `used` octets are taken."""
    return (_MAX_LINE - used - _WORD_FRAME) // 4 * 3
