"""A text as bytes of the wire, encoded once, with gaps for the reader's own parts (RFC 2045, 6.7 and 6.8)."""

import binascii
import re
from collections.abc import Mapping, Sequence

from emails.personal import gaps

GAP = 8  # bytes that a gap can cost beyond its value: line ends around it
_LINE = 57  # bytes that make a line of 76 characters in base64
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


class _PackedPieces:
    """Texts in base64. What a value pushes out of step with groups of three bytes and with whole lines
    is encoded anew; the rest of a text is encoded once for each of the three steps it can begin at."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self._encoded: dict[tuple[int, int], tuple[bytes, bytes]] = {}

    def around(self, values: Sequence[bytes]) -> list[bytes]:
        """The texts with a value between each and the next."""
        parts: list[bytes] = []
        carried = b""
        for index, piece in enumerate(self._pieces):
            step = -len(carried) % 3
            if len(piece) < step:  # too short to bring it back into step
                carried += piece
            else:
                parts.append(_packed(carried + piece[:step]))
                lines, carried = self._lines(index, step)
                parts.append(lines)
            carried += values[index] if index < len(values) else b""
        parts.append(_packed(carried))
        return parts

    def _lines(self, index: int, step: int) -> tuple[bytes, bytes]:
        """The whole lines of a text from `step` on, encoded, and the bytes behind them."""
        if (index, step) not in self._encoded:
            piece = self._pieces[index][step:]
            whole = len(piece) - len(piece) % _LINE
            self._encoded[index, step] = _packed(piece[:whole]), piece[whole:]
        return self._encoded[index, step]


def _packed(raw: bytes) -> bytes:
    lines = [
        binascii.b2a_base64(raw[start : start + _LINE], newline=False) for start in range(0, len(raw), _LINE)
    ]
    return b"\r\n".join((*lines, b""))


def _quoted(raw: bytes) -> bytes:
    quoted = binascii.b2a_qp(raw, istext=True)
    # A line that begins with "From " becomes ">From " in some mailboxes, and DKIM fails; one that begins with
    # a dot would have to be marked on its way (RFC 5321, 4.5.2).
    quoted = re.sub(rb"^(?:F(?=rom )|\.)", _escaped, quoted, flags=re.MULTILINE)
    return quoted.replace(b"\n", b"\r\n")


def _escaped(sign: re.Match[bytes]) -> bytes:
    return b"=%02X" % sign[0][0]
