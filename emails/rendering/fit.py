"""Makes an edition fit into a mail: chooses which blocks of its texts are shown within a number of bytes. Pure.

Blocks are shown or left out as a whole. What a reader needs most is placed first: the opening paragraph of each
paper, the overview, the rest of the introductions, the short texts (summary, notes, closing), a paper's further
sections, then abstracts. Within a rank the papers take turns block by
block, so papers of one kind are treated alike, and earlier papers come first where room runs out. A text is shown
up to its first block that does not fit. The other texts go on until none has a block left that fits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emails.edition import Part
from emails.rendering.size import NO_SIZE, HtmlSize

RANKS = ("opening", "overview", "introduction", "summary", "notes", "closing", "section", "abstract")
MAX_ORDINARY_BYTES = 10_000  # no editor writes a longer opening paragraph
_MARGIN_BYTES = 256  # for multipart boundaries and line ends, which the sum of the blocks does not include


@dataclass(frozen=True)
class BlockRef:
    """One block that may be shown: the `block`-th block of the `part`-th text of an edition."""

    part: int
    block: int


@dataclass(frozen=True)
class LeftOutBlock:
    """A block that was left out: how many bytes it needed, and how much room there was at its turn."""

    ref: BlockRef
    rank: str
    needed: int
    room: int


@dataclass(frozen=True)
class FittedBlocks:
    """How many blocks of each text are shown, and every block that did not fit.

    Blocks after one that did not fit are not listed, because their text ended there.
    """

    shown: tuple[int, ...]
    left_out: tuple[LeftOutBlock, ...]

    @property
    def lacks_openings(self) -> bool:
        """Whether the opening of a paper did not fit; one of extraordinary size never would, and does not count."""
        return any(block.rank == "opening" and block.needed < MAX_ORDINARY_BYTES for block in self.left_out)


def fit(
    units: Sequence[Sequence[Part]],
    frame: HtmlSize,
    blocks: Mapping[BlockRef, HtmlSize],
    notes: Sequence[HtmlSize],
    max_bytes: int,
) -> FittedBlocks:
    """The choice of blocks that shows as much as `max_bytes` allow, decoded and encoded.

    A unit is a paper or an issue's opening, with its texts. `frame` is the size of the mail without any block,
    `blocks` the size of each block, and `notes` the maximum size of the line that says what was left out of a
    unit.
    """
    parts = [part for unit in units for part in unit]
    complete = sum(blocks.values(), frame + HtmlSize(_MARGIN_BYTES, _MARGIN_BYTES))
    if complete.larger <= max_bytes:
        return FittedBlocks(tuple(len(part.blocks) for part in parts), ())
    unit_of = [index for index, unit in enumerate(units) for _ in unit]
    unfinished = [sum(bool(part.blocks) for part in unit) for unit in units]
    shown = [0] * len(parts)
    has_ended = [False] * len(parts)
    left_out: list[LeftOutBlock] = []
    # Every unit lacks something until its last block is placed, so the notes of all units count from the start.
    used = frame + HtmlSize(_MARGIN_BYTES, _MARGIN_BYTES)
    used += sum((note for note, texts in zip(notes, unfinished, strict=True) if texts), NO_SIZE)
    for rank, ref in _by_importance(parts):
        if has_ended[ref.part]:
            continue
        unit = unit_of[ref.part]
        completes_text = ref.block + 1 == len(parts[ref.part].blocks)
        completes_unit = completes_text and unfinished[unit] == 1
        with_block = used + blocks[ref] - (notes[unit] if completes_unit else NO_SIZE)
        room, needed = max_bytes - used.larger, with_block.larger - used.larger
        if needed <= max(room, 0):  # the last block of a unit can be shorter than the note that it replaces
            used, shown[ref.part] = with_block, ref.block + 1
            unfinished[unit] -= completes_text
        else:
            has_ended[ref.part] = True
            left_out.append(LeftOutBlock(ref, rank, needed, room))
    return FittedBlocks(tuple(shown), tuple(left_out))


def _by_importance(parts: Sequence[Part]) -> list[tuple[str, BlockRef]]:
    """All blocks with their ranks, most important first."""
    ranked = [
        (RANKS.index(_rank(part, block)), block, index)
        for index, part in enumerate(parts)
        for block in range(len(part.blocks))
    ]
    return [(RANKS[rank], BlockRef(index, block)) for rank, block, index in sorted(ranked)]


def _rank(part: Part, block: int) -> str:
    if part.opens and block == 0:
        return "opening"
    return "introduction" if part.name == "intro" else part.name
