"""Make an edition fit a mail: which blocks of its texts are shown, within a number of bytes. Pure.

Whole blocks are left out, never part of one. What a reader needs most is placed first: each
paper's opening paragraphs, the overview, the rest of the introductions, then abstracts. Within a
rank papers take turns block by block, so papers of one kind are treated alike, earlier ones first
where room runs out. A text is shown up to its first block that finds no room; others go on, until
none has a block left that fits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emails.edition import Part

RANKS = ("opening", "overview", "introduction", "summary", "notes", "abstract")
ORDINARY = 10_000  # bytes; no editor writes an opening paragraph of that length
_SPARE = 256  # multipart and line ends that the sum of pieces does not see


@dataclass(frozen=True)
class Size:
    """Bytes of a piece of HTML, its line ends CRLF: in UTF-8, and in quoted-printable without soft line breaks."""

    plain: int
    quoted: int

    def __add__(self, other: "Size") -> "Size":
        return Size(self.plain + other.plain, self.quoted + other.quoted)

    def __sub__(self, other: "Size") -> "Size":
        return Size(self.plain - other.plain, self.quoted - other.quoted)

    @property
    def sent(self) -> int:
        """Bytes on the wire in the smaller of base64 and quoted-printable, line ends included."""
        return min(-(-self.plain * 78 // 57) + 4, -(-self.quoted * 76 // 73) + 4)

    @property
    def most(self) -> int:
        """What counts against a limit: the larger of the decoded bytes and those on the wire."""
        return max(self.plain, self.sent)


NOTHING = Size(0, 0)


def size_of(html: str) -> Size:
    """The size of a piece of HTML."""
    raw = html.encode()
    escaped = sum(1 for byte in raw if byte > 126 or byte == 61 or (byte < 32 and byte != 10))
    plain = len(raw) + raw.count(b"\n")
    dots = raw.startswith(b".") + raw.count(b"\n.")  # these are encoded too, with a line end each
    return Size(plain, plain + 2 * escaped + 5 * dots)


@dataclass(frozen=True)
class Piece:
    """One block that may be shown: the `block`-th of the `part`-th text of an edition."""

    part: int
    block: int


@dataclass(frozen=True)
class Cut:
    """A block left out and why: how large it was, and how much room there was when its turn came."""

    piece: Piece
    rank: str
    needed: int
    room: int


@dataclass(frozen=True)
class Layout:
    """How many blocks of each text are shown, and every block that found no room.

    A block behind one that was cut has no `Cut` of its own: its text had ended.
    """

    shown: tuple[int, ...]
    cuts: tuple[Cut, ...]

    @property
    def lacks_openings(self) -> bool:
        """Whether a paper's opening of ordinary size found no room (a huge one never would)."""
        return any(cut.rank == "opening" and cut.needed < ORDINARY for cut in self.cuts)


def fit(
    units: Sequence[Sequence[Part]],
    frame: Size,
    blocks: Mapping[Piece, Size],
    notes: Sequence[Size],
    limit: int,
) -> Layout:
    """The layout that shows as much as `limit` bytes allow, decoded and encoded.

    A unit is a paper or an issue's opening, with its texts. `frame` is the mail without any block,
    `blocks` each block's size, `notes` the most that the line takes which says what of a unit was
    left out.
    """
    parts = [part for unit in units for part in unit]
    whole = sum(blocks.values(), frame + Size(_SPARE, _SPARE))
    if whole.most <= limit:
        return Layout(tuple(len(part.blocks) for part in parts), ())
    unit_of = [place for place, unit in enumerate(units) for _ in unit]
    unfinished = [sum(bool(part.blocks) for part in unit) for unit in units]
    shown = [0] * len(parts)
    closed = [False] * len(parts)
    cuts: list[Cut] = []
    # Every unit is cut until its last block is placed, so each one's note counts from the start.
    used = frame + Size(_SPARE, _SPARE)
    used += sum((note for note, texts in zip(notes, unfinished, strict=True) if texts), NOTHING)
    for rank, piece in _order(parts):
        if closed[piece.part]:
            continue
        unit = unit_of[piece.part]
        ends_text = piece.block + 1 == len(parts[piece.part].blocks)
        ends_unit = ends_text and unfinished[unit] == 1
        grown = used + blocks[piece] - (notes[unit] if ends_unit else NOTHING)
        room, needed = limit - used.most, grown.most - used.most
        if needed <= max(room, 0):  # the end of a unit can be shorter than the line that would stand for it
            used, shown[piece.part] = grown, piece.block + 1
            unfinished[unit] -= ends_text
        else:
            closed[piece.part] = True
            cuts.append(Cut(piece, rank, needed, room))
    return Layout(tuple(shown), tuple(cuts))


def _order(parts: Sequence[Part]) -> list[tuple[str, Piece]]:
    """All blocks, most important first."""
    ranked = [
        (RANKS.index(_rank(part, block)), block, index)
        for index, part in enumerate(parts)
        for block in range(len(part.blocks))
    ]
    return [(RANKS[rank], Piece(index, block)) for rank, block, index in sorted(ranked)]


def _rank(part: Part, block: int) -> str:
    if part.opens and block == 0:
        return "opening"
    return "introduction" if part.name == "intro" else part.name
