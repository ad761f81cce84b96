"""A text as bytes of the wire, encoded once, with gaps for the reader's own parts (RFC 2045, 6.7 and 6.8)."""

import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emails.rendering.placeholders import gaps

GAP = 8  # bytes that a gap can cost beyond its value: line ends around it
_LINE, _WIDTH = 57, 76  # bytes that make a line in base64, and its characters
_MOST_PLANS = 200  # of a body: the lengths of names and links
_SOFT_BREAK = b"=\r\n"


class Body:
    """A text in the smaller of base64 and quoted-printable; `names` are the gaps to fill.

    Python alone picks quoted-printable for Korean, which is half as large again.
    """

    def __init__(self, text: str, nonce: str = "") -> None:
        texts, self.names = gaps(text, nonce)
        raws = [re.sub(r"\r\n?", "\n", text).encode("utf-8", "replace") for text in texts]
        quoted = [_quoted(raw) for raw in raws]
        packed = [raw.replace(b"\n", b"\r\n") for raw in raws]
        is_quoted = sum(map(len, quoted)) <= sum(map(len, packed)) * 78 // 57
        self.encoding = "quoted-printable" if is_quoted else "base64"
        self._pieces = _QuotedPieces(quoted) if is_quoted else _PackedPieces(packed)

    def filled(self, values: Mapping[str, bytes]) -> list[bytes]:
        """The encoded text, in pieces to be joined, with the values (UTF-8, no line breaks) in its gaps."""
        return self._pieces.around([values[name] for name in self.names])


class _QuotedPieces:
    """Texts in quoted-printable, held together by soft line breaks."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._first = pieces[0]
        self._next = [_SOFT_BREAK + piece for piece in pieces[1:]]

    def around(self, values: Sequence[bytes]) -> list[bytes]:
        """The texts with a value between each and the next."""
        parts = [self._first]
        for value, piece in zip(values, self._next, strict=True):
            parts += (_SOFT_BREAK, _quoted(value), piece)
        return parts


@dataclass(frozen=True)
class _Gap:
    """A value's surroundings: what is encoded together with it, and the whole lines behind."""

    before: bytes
    after: bytes
    lines: bytes


class _PackedPieces:
    """Texts in base64. What a value pushes out of step with groups of three bytes and with whole lines is
    encoded anew with it; where that begins and ends depends on the lengths of the values alone."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self._first, self._rest = _whole_lines(pieces[0])
        self._encoded: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        self._plans: dict[tuple[int, ...], tuple[list[_Gap], bytes]] = {}

    def around(self, values: Sequence[bytes]) -> list[bytes]:
        """The texts with a value between each and the next."""
        lengths = tuple(map(len, values))
        gaps, end = self._plans.get(lengths) or self._plan(lengths)
        parts = [self._first]
        raw = b""
        for gap, value in zip(gaps, values, strict=True):
            raw = b"".join((raw, gap.before, value, gap.after))
            if gap.lines:
                parts += (_packed(raw), gap.lines)
                raw = b""
        parts.append(_packed(raw + end))
        return parts

    def _plan(self, lengths: tuple[int, ...]) -> tuple[list[_Gap], bytes]:
        gaps: list[_Gap] = []
        before, taken = self._rest, 0
        for index, length in enumerate(lengths, 1):
            taken += len(before) + length
            step = -taken % 3
            if len(self._pieces[index]) < step + _LINE:  # no whole line: it goes with the next value
                gaps.append(_Gap(before, self._pieces[index], b""))
                taken, before = taken + len(self._pieces[index]), b""
                continue
            if (index, step) not in self._encoded:
                self._encoded[index, step] = _whole_lines(self._pieces[index][step:])
            lines, rest = self._encoded[index, step]
            gaps.append(_Gap(before, self._pieces[index][:step], lines))
            taken, before = 0, rest
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        self._plans[lengths] = gaps, before
        return gaps, before


def _whole_lines(piece: bytes) -> tuple[bytes, bytes]:
    """The lines that a text fills, encoded, and the bytes behind them."""
    whole = len(piece) - len(piece) % _LINE
    return _packed(piece[:whole]), piece[whole:]


def _packed(raw: bytes) -> bytes:
    encoded = binascii.b2a_base64(raw, newline=False)
    if len(raw) <= _LINE:
        return encoded + b"\r\n" if encoded else b""
    lines = [encoded[start : start + _WIDTH] for start in range(0, len(encoded), _WIDTH)]
    return b"\r\n".join((*lines, b""))


def _quoted(raw: bytes) -> bytes:
    quoted = binascii.b2a_qp(raw, istext=True)
    # A line that begins with "From " becomes ">From " in some mailboxes, and DKIM fails; one that begins with
    # a dot would have to be marked on its way (RFC 5321, 4.5.2).
    quoted = re.sub(rb"^(?:\.+(?:F(?=rom ))?|F(?=rom ))", _escaped, quoted, flags=re.MULTILINE)
    return quoted.replace(b"\n", b"\r\n")


def _escaped(signs: re.Match[bytes]) -> bytes:
    """The signs, each on a line of its own: the rest of theirs may have no room for more."""
    return b"".join(b"=%02X=\n" % sign for sign in signs[0])
