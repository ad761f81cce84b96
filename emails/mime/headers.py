"""Header fields as bytes: RFC 5322 lines and RFC 2047 encoded words, where `email.policy` makes mistakes.

The standard library encodes long List-Unsubscribe fields as words, loses a space when it splits Korean subjects,
and writes encoded words inside addresses.

Mail programs that use GMime (Geary, Balsa, notmuch, mu) decode neighbouring base64 words as one stream, which ends at
the first padding. So a base64 word with another one behind it has whole groups of three bytes and no padding.
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
_PLAIN_IN_Q = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
)  # RFC 2047, 5 (3)
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
    if not clean(display):
        return f"{name}: {_checked(address)}\r\n".encode()
    return phrase_header(name, display, address)


def phrase_header(name: str, phrase: str, bracketed: str) -> bytes:
    """A field with a phrase and then an address or an identifier in angle brackets, such as List-Id (RFC 2919, 3)."""
    bracketed, phrase = _checked(bracketed), clean(phrase)
    if _ATOMS.fullmatch(phrase) and "=?" not in phrase and len(phrase) < _MAX_PLAIN_DISPLAY:
        return f"{name}: {phrase} <{bracketed}>\r\n".encode()
    return _folded(name, [*_encoded_words(phrase, name), f"<{bracketed}>".encode()])


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


# --- encoded words ------------------------------------------------------------------


def _encoded_words(value: str, name: str) -> list[bytes]:
    """Encoded words that together are the value of the field `name`; none of them splits a character.

    A word is in base64. Where no character ends with a group of three bytes, a quoted word stands before the next.
    """
    words: list[bytes] = []
    left, used = value, len(name) + 2
    while True:
        room = _MAX_LINE - used - _WORD_FRAME
        if len(left.encode()) <= room // 4 * 3:
            return [*words, _base64_word(left)]
        count = _characters_in_whole_groups(left, room // 4 * 3)
        if count:
            words.append(_base64_word(left[:count]))
        else:
            count = _characters_in_q(left, room)
            words.append(_q_word(left[:count]))
        left, used = left[count:], 1


def _base64_word(text: str) -> bytes:
    return b"=?utf-8?b?" + base64.b64encode(text.encode()) + b"?="


def _characters_in_whole_groups(text: str, max_bytes: int) -> int:
    """How many characters fill as many whole groups of three bytes as there is room for; 0 if none do."""
    count = size = 0
    for index, character in enumerate(text, 1):
        size += len(character.encode())
        if size > max_bytes:
            break
        if size % 3 == 0:
            count = index
    return count


def _q_word(text: str) -> bytes:
    return b"=?utf-8?q?" + _quoted(text) + b"?="


def _characters_in_q(text: str, max_octets: int) -> int:
    """How many characters fit into a quoted word."""
    size = 0
    for index, character in enumerate(text):
        size += len(_quoted(character))
        if size > max_octets:
            return index
    return len(text)


def _quoted(text: str) -> bytes:
    return b"".join(bytes((octet,)) if octet in _PLAIN_IN_Q else b"=%02X" % octet for octet in text.encode())
