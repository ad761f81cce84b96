"""Makes the forum's texts readable: LaTeX leftovers become what they mean, and endless blocks are split."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from issues.parse.latex import without_latex
from issues.parse.sentences import sentence_ends
from issues.parse.text import Block, TextRun, table_of

MAX_BLOCK_BYTES = 6_000  # a mail leaves out whole blocks, so no block may be too long
MAX_HEADER_BYTES = 1_000  # a longer first row of a table is not repeated
CELL_BYTES = 80  # about what a cell's own markup takes in a mail


def readable_blocks(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The blocks as a mail or a page shows them: without LaTeX, and with no paragraph and no table too long.

    A list item is never split, and neither is a sentence or a row of a table, however long.
    """
    return tuple(part for block in blocks for part in _parts(readable(block)) if part.text.strip())


def readable(block: Block) -> Block:
    """The block with LaTeX's commands, quotes and dollar signs replaced by what they stand for."""
    if block.type == "table":
        return table_of([[without_latex(cell) for cell in row] for row in block.rows])
    return replace(block, runs=without_latex(block.runs))


def _parts(block: Block) -> Iterator[Block]:
    match block.type:
        case "p":
            yield from _paragraphs(block)
        case "table":
            yield from _tables(block)
        case "li":
            yield block


# --- long paragraphs ----------------------------------------------------------------


def _paragraphs(block: Block) -> Iterator[Block]:
    """The paragraph in parts of whole sentences."""
    cuts = _cuts("".join(run.text for run in block.runs))
    for runs in _split(block.runs, cuts):
        yield replace(block, runs=runs)


def _cuts(text: str) -> list[int]:
    """The places at which a text is cut, so that its parts are as long as they may be."""
    if len(text) * 4 <= MAX_BLOCK_BYTES or len(text.encode()) <= MAX_BLOCK_BYTES:
        return []
    cuts = []
    size = start = 0
    for end in [*sentence_ends(text), len(text)]:
        sentence_size = len(text[start:end].encode())
        if size and size + sentence_size > MAX_BLOCK_BYTES:
            cuts.append(start)
            size = 0
        size += sentence_size
        start = end
    return cuts


def _split(runs: Sequence[TextRun], cuts: Sequence[int]) -> Iterator[tuple[TextRun, ...]]:
    """The runs in parts that are cut at these places of the text, without spaces before a cut."""
    if not cuts:
        yield tuple(runs)
        return
    part: list[TextRun] = []
    at = cut = 0
    for run in runs:
        start = 0
        while cut < len(cuts) and cuts[cut] < at + len(run.text):
            stop = cuts[cut] - at
            yield _without_spaces_at_end([*part, replace(run, text=run.text[start:stop])])
            part, start, cut = [], stop, cut + 1
        part.append(replace(run, text=run.text[start:]))
        at += len(run.text)
    yield _without_spaces_at_end(part)


def _without_spaces_at_end(runs: list[TextRun]) -> tuple[TextRun, ...]:
    while runs and not runs[-1].text.strip():
        runs.pop()
    if runs:
        runs[-1] = replace(runs[-1], text=runs[-1].text.rstrip())
    return tuple(runs)


# --- long tables --------------------------------------------------------------------


def _tables(block: Block) -> Iterator[Block]:
    """The table in parts of whole rows. Each begins with the first row, which names the columns."""
    rows = block.rows
    sizes = [_row_size(row) for row in rows]
    if sum(sizes) <= MAX_BLOCK_BYTES:
        yield block
        return
    header, header_size = (rows[:1], sizes[0]) if sizes[0] <= MAX_HEADER_BYTES else ([], 0)
    part, size = rows[:1], sizes[0]
    for row, row_size in zip(rows[1:], sizes[1:], strict=True):
        if len(part) > len(header) and size + row_size > MAX_BLOCK_BYTES:
            yield table_of(part)
            part, size = list(header), header_size
        part.append(row)
        size += row_size
    yield table_of(part)


def _row_size(row: Sequence[Sequence[TextRun]]) -> int:
    """About how many bytes a row takes in a mail."""
    return sum(CELL_BYTES + len(run.text.encode()) for cell in row for run in cell or (TextRun(""),))
