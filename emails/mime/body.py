"""A body in its transfer encoding (RFC 2045, 6.7 and 6.8), encoded once, with placeholders to fill for each recipient."""

import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from emails.placeholders import split_at_placeholders

PLACEHOLDER_OVERHEAD_BYTES = 8  # that filling a placeholder can cost beyond its value: line ends around it
_BASE64_LINE_BYTES, _BASE64_LINE_CHARACTERS = 57, 76
_MAX_PLANS = 200  # of a body: one for each combination of lengths of names and links
_SOFT_LINE_BREAK = b"=\r\n"


class Body:
    """A text in the smaller of base64 and quoted-printable. `names` are the placeholders to fill, in order.

    `beginning` is the encoded text before the first placeholder (to a full line), the first part of `filled`.

    Python's own choice would be quoted-printable even for Korean, which is half as large again as base64.
    """

    def __init__(self, text: str, nonce: str = "") -> None:
        texts, self.names = split_at_placeholders(text, nonce)
        raws = [re.sub(r"\r\n?", "\n", text).encode("utf-8", "replace") for text in texts]
        quoted = [_quoted_printable(raw) for raw in raws]
        with_crlf = [raw.replace(b"\n", b"\r\n") for raw in raws]
        is_quoted = sum(map(len, quoted)) <= sum(map(len, with_crlf)) * 78 // 57
        self.encoding = "quoted-printable" if is_quoted else "base64"
        self._pieces: _Pieces = _QuotedPieces(quoted) if is_quoted else _Base64Pieces(with_crlf)
        self.beginning = self._pieces.first

    def filled(self, values: Mapping[str, bytes]) -> list[bytes]:
        """The encoded text with the values (UTF-8, without line breaks) filled in, as parts to be joined."""
        return self._pieces.joined_by([values[name] for name in self.names])


class _Pieces(Protocol):
    """The texts around a body's placeholders. `first` is what they begin with for every recipient, encoded."""

    first: bytes

    def joined_by(self, values: Sequence[bytes]) -> list[bytes]:
        """The encoded texts with a value between each and the next."""


class _QuotedPieces:
    """Texts in quoted-printable. Soft line breaks separate them from the values between them."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.first = pieces[0]
        self._others = [_SOFT_LINE_BREAK + piece for piece in pieces[1:]]

    def joined_by(self, values: Sequence[bytes]) -> list[bytes]:
        """The encoded texts with a value between each and the next."""
        parts = [self.first]
        for value, piece in zip(values, self._others, strict=True):
            parts += (_SOFT_LINE_BREAK, _quoted_printable(value), piece)
        return parts


# --- base64 -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Splice:
    """What surrounds a value: the bytes that are encoded together with it, and the encoded lines after them."""

    before: bytes
    after: bytes
    lines: bytes


class _Base64Pieces:
    """Texts in base64, most of which are encoded only once.

    Base64 encodes groups of three bytes in lines of 57. A value between two texts shifts both, so the bytes up to
    the next full group and line are encoded again together with the value. Where these bytes begin and end depends
    only on the lengths of the values, so the plan for each combination of lengths is kept. Encoding the whole body
    for every recipient instead would take more than a tenth of the sender's CPU time.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self.first, self._rest = _full_lines(pieces[0])
        self._encoded: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        self._plans: dict[tuple[int, ...], tuple[list[_Splice], bytes]] = {}

    def joined_by(self, values: Sequence[bytes]) -> list[bytes]:
        """The encoded texts with a value between each and the next."""
        lengths = tuple(map(len, values))
        splices, end = self._plans.get(lengths) or self._plan(lengths)
        parts = [self.first]
        raw = b""
        for splice, value in zip(splices, values, strict=True):
            raw = b"".join((raw, splice.before, value, splice.after))
            if splice.lines:
                parts += (_base64(raw), splice.lines)
                raw = b""
        parts.append(_base64(raw + end))
        return parts

    def _plan(self, lengths: tuple[int, ...]) -> tuple[list[_Splice], bytes]:
        splices: list[_Splice] = []
        before, taken = self._rest, 0
        for index, length in enumerate(lengths, 1):
            taken += len(before) + length
            shift = -taken % 3  # bytes of the next text that complete the group of three
            if len(self._pieces[index]) < shift + _BASE64_LINE_BYTES:  # too short for a full line of its own
                splices.append(_Splice(before, self._pieces[index], b""))
                taken, before = taken + len(self._pieces[index]), b""
                continue
            if (index, shift) not in self._encoded:
                self._encoded[index, shift] = _full_lines(self._pieces[index][shift:])
            lines, rest = self._encoded[index, shift]
            splices.append(_Splice(before, self._pieces[index][:shift], lines))
            taken, before = 0, rest
        if len(self._plans) >= _MAX_PLANS:
            self._plans.clear()
        self._plans[lengths] = splices, before
        return splices, before


def _full_lines(piece: bytes) -> tuple[bytes, bytes]:
    """The full lines that a text makes, encoded, and the bytes after them."""
    whole = len(piece) - len(piece) % _BASE64_LINE_BYTES
    return _base64(piece[:whole]), piece[whole:]


def _base64(raw: bytes) -> bytes:
    encoded = binascii.b2a_base64(raw, newline=False)
    if len(raw) <= _BASE64_LINE_BYTES:
        return encoded + b"\r\n" if encoded else b""
    starts = range(0, len(encoded), _BASE64_LINE_CHARACTERS)
    lines = [encoded[start : start + _BASE64_LINE_CHARACTERS] for start in starts]
    return b"\r\n".join((*lines, b""))


# --- quoted-printable ---------------------------------------------------------------


def _quoted_printable(raw: bytes) -> bytes:
    quoted = binascii.b2a_qp(raw, istext=True)
    # Some mailboxes turn a line that begins with "From " into ">From ", which breaks DKIM. A leading dot would have
    # to be doubled in transit (RFC 5321, 4.5.2). So both are escaped.
    quoted = re.sub(rb"^(?:\.+(?:F(?=rom ))?|F(?=rom ))", _escaped, quoted, flags=re.MULTILINE)
    return quoted.replace(b"\n", b"\r\n")


def _escaped(characters: re.Match[bytes]) -> bytes:
    """The characters, each on its own line, because the rest of their line may have no room for the escapes."""
    return b"".join(b"=%02X=\n" % character for character in characters[0])
