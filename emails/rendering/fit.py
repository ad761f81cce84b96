"""Makes an edition fit into a mail: chooses which kinds of text are shown within a number of bytes. Pure.

All papers of a mail are treated alike. A kind is, for example, the Korean abstracts: it is shown for all papers, or
for none, or of each text as many of its first paragraphs as there is room for. What a reader needs most is placed
first: the overview, the first paragraph of each paper in each language, the rest of the introductions. A kind without
room does not keep a less important one from being shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.languages import TextLanguage
from emails.edition import Part
from emails.rendering.size import HtmlSize

RANKS = ("overview", "summary", "opening", "intro", "notes", "closing", "section", "abstract")
# No editor writes a longer paragraph, and one that is longer takes no room from others.
MAX_ORDINARY_BYTES = 10_000
_MARGIN_BYTES = 256  # for multipart boundaries and line ends, which the sum of the blocks does not include


class BlockRef(NamedTuple):
    """One block that may be shown: the `block`-th block of the `part`-th text of an edition."""

    part: int
    block: int


class TextKind(NamedTuple):
    """Texts that are shown or left out together: those of a rank in a language."""

    rank: str
    language: TextLanguage


class _Segment(NamedTuple):
    """The blocks of a text from `start` to before `stop`, which belong to one kind."""

    part: int
    start: int
    stop: int


@dataclass(frozen=True)
class FittedBlocks:
    """How many blocks of each text are shown, and the kinds of which something was left out.

    It `lacks_openings` if there was no room for the first paragraph of each paper.
    """

    shown: tuple[int, ...]
    left_out: tuple[TextKind, ...]
    lacks_openings: bool


def kind_of(part: Part) -> TextKind:
    """The kind of a text. What opens a paper counts as its introduction, even if it is the abstract."""
    return TextKind("intro" if part.opens else part.name, part.language)


def fit(
    parts: Sequence[Part],
    frame: HtmlSize,
    blocks: Mapping[BlockRef, HtmlSize],
    notes: HtmlSize,
    max_bytes: int,
) -> FittedBlocks:
    """The choice of blocks that shows as much as `max_bytes` allow, decoded and encoded.

    `frame` is the size of the mail without any block, `blocks` the size of each block, and `notes` the maximum size of
    the lines that say what was left out.
    """
    used = frame + HtmlSize(_MARGIN_BYTES, _MARGIN_BYTES)
    lengths = tuple(len(part.blocks) for part in parts)
    if sum(blocks.values(), used).larger <= max_bytes:
        return FittedBlocks(lengths, (), lacks_openings=False)
    used += notes
    shown = [0] * len(parts)
    for segments in _by_importance(parts):
        # The rest of a text is shown only after its opening.
        reachable = [segment for segment in segments if shown[segment.part] == segment.start]
        count, used = _most_paragraphs(reachable, used, blocks, max_bytes)
        for segment in reachable:
            shown[segment.part] = segment.start + min(count, _ordinary_blocks(segment, blocks))
    cut = {kind_of(part) for part, count in zip(parts, shown, strict=True) if count < len(part.blocks)}
    return FittedBlocks(
        tuple(shown),
        tuple(sorted(cut, key=lambda kind: (RANKS.index(kind.rank), kind.language))),
        lacks_openings=any(
            part.opens and not shown[index] and _ordinary_blocks(_Segment(index, 0, 1), blocks)
            for index, part in enumerate(parts)
        ),
    )


def _by_importance(parts: Sequence[Part]) -> list[list[_Segment]]:
    """The blocks of each kind, most important first; of a rank, the language that comes first."""
    kinds: dict[TextKind, list[_Segment]] = {}
    for index, part in enumerate(parts):
        length, start = len(part.blocks), 0
        if part.opens:
            kinds.setdefault(TextKind("opening", part.language), []).append(_Segment(index, 0, 1))
            start = 1
        kinds.setdefault(kind_of(part), []).append(_Segment(index, start, length))
    return [segments for _, segments in sorted(kinds.items(), key=lambda kind: RANKS.index(kind[0].rank))]


def _ordinary_blocks(segment: _Segment, blocks: Mapping[BlockRef, HtmlSize]) -> int:
    """How many blocks come before the first one of extraordinary size."""
    for number, block in enumerate(range(segment.start, segment.stop)):
        if blocks[BlockRef(segment.part, block)].larger > MAX_ORDINARY_BYTES:
            return number
    return segment.stop - segment.start


def _most_paragraphs(
    segments: Sequence[_Segment], used: HtmlSize, blocks: Mapping[BlockRef, HtmlSize], max_bytes: int
) -> tuple[int, HtmlSize]:
    """How many first blocks of each segment fit, and the size of the mail with them."""
    lengths = {segment: _ordinary_blocks(segment, blocks) for segment in segments}
    count = 0
    for number in range(max(lengths.values(), default=0)):
        refs = (
            BlockRef(segment.part, segment.start + number)
            for segment in segments
            if number < lengths[segment]
        )
        with_blocks = sum((blocks[ref] for ref in refs), used)
        if with_blocks.larger > max_bytes:
            break
        count, used = number + 1, with_blocks
    return count, used
