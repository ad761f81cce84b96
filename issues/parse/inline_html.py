"""Writes blocks as escaped HTML, for mails and pages: text runs, tables, and the lists around list items."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from markupsafe import Markup, escape

from issues.parse.text import HANGUL, Block, TextRun

MAX_LIST_DEPTH = 3  # a list that is nested more deeply is shown at this depth, where a phone still has room
_BREAK = Markup("<br>")
_UNBREAKABLE = re.compile(r"[^\s가-힣]+")


def inline_html(block: Block) -> Markup:
    """The block's runs as escaped inline HTML."""
    return _runs_html(block.runs)


def blocks_html(blocks: Sequence[Block]) -> Markup:
    """A text as HTML."""
    return Markup("").join(
        block.html + Markup("").join(closing.tag for closing in block.closing)
        for block in tagged_blocks(blocks)
    )


def _runs_html(runs: Sequence[TextRun]) -> Markup:
    return Markup("").join(_run_html(run) for run in runs)


def _run_html(run: TextRun) -> Markup:
    html = _BREAK.join(escape(line) for line in run.text.split("\n"))
    if run.code:
        html = Markup("<code>{}</code>").format(html)
    if run.sup:
        html = Markup("<sup>{}</sup>").format(html)
    if run.sub:
        html = Markup("<sub>{}</sub>").format(html)
    if run.strike:
        html = Markup("<s>{}</s>").format(html)
    if run.italic or run.math:
        html = Markup("<em>{}</em>").format(html)
    if run.bold:
        html = Markup("<strong>{}</strong>").format(html)
    if run.changed:
        html = Markup("<mark>{}</mark>").format(html)
    if run.href:
        html = Markup('<a href="{}">{}</a>').format(run.href, html)
    return html


# --- tables -------------------------------------------------------------------------

# Widths in Latin letters. A phone's mail has room for so many in a table, and for more if they are smaller.
_PHONE_WIDTH, _PHONE_WIDTH_IF_DENSE = 38, 44
_LONG_WORD = 10  # a word that is longer can break


def _table_html(block: Block) -> Markup:
    """A table. If it has several rows, the first one has the headings of the columns.

    A table with too many or too wide columns for a phone is `dense`. There, a cell with a `long` word can break it, and
    in a `crowded` table every cell can.
    """
    rows = block.rows
    names = "data"
    if sum(_column_widths(rows, _word_width)) > _PHONE_WIDTH:
        is_crowded = sum(_column_widths(rows, _unbreakable_width)) > _PHONE_WIDTH_IF_DENSE
        names = "data dense crowded" if is_crowded else "data dense"
    header = rows[:1] if len(rows) > 1 else []
    head = Markup("<thead>{}</thead>").format(_row_html(header[0], is_header=True)) if header else ""
    body = Markup("").join(_row_html(row) for row in rows[len(header) :])
    return Markup('<table class="{}">{}<tbody>{}</tbody></table>').format(names, head, body)


def _row_html(cells: Sequence[Sequence[TextRun]], *, is_header: bool = False) -> Markup:
    return Markup("<tr>{}</tr>").format(Markup("").join(_cell_html(cell, is_header) for cell in cells))


def _cell_html(runs: Sequence[TextRun], is_header: bool) -> Markup:
    names = Markup(' class="long"') if _word_width(runs) - 2 > _LONG_WORD else ""
    if is_header and runs:  # screen readers would announce a heading without a text
        return Markup('<th scope="col"{}>{}</th>').format(names, _runs_html(runs))
    return Markup("<td{}>{}</td>").format(names, _runs_html(runs))


def _column_widths(
    rows: Sequence[Sequence[Sequence[TextRun]]], width_of: Callable[[Sequence[TextRun]], int]
) -> list[int]:
    widths: list[int] = []
    for row in rows:
        widths += [0] * (len(row) - len(widths))
        for place, cell in enumerate(row):
            widths[place] = max(widths[place], width_of(cell))
    return widths


def _word_width(cell: Sequence[TextRun]) -> int:
    """The width of a cell's longest word and the space beside it. A Hangul syllable takes two letters."""
    words = "".join(run.text for run in cell).split()
    return 2 + max((len(word) + len(HANGUL.findall(word)) for word in words), default=0)


def _unbreakable_width(cell: Sequence[TextRun]) -> int:
    """The width of a cell's longest word without Hangul, unless it can break, and the space beside it."""
    words = _UNBREAKABLE.findall("".join(run.text for run in cell))
    return 1 + max((min(len(word), _LONG_WORD) for word in words), default=0)


# --- lists --------------------------------------------------------------------------


@dataclass(frozen=True)
class ClosingTag:
    """A tag that closes what another block or the same one opened: the one with the number `opened_by` in its text."""

    opened_by: int
    tag: Markup


@dataclass(frozen=True)
class TaggedBlock:
    """A block as HTML with the tags that it opens, and the tags that close after it, which other blocks may have opened.

    If the last blocks of a text are left out together with the tags that they opened, the rest is still valid HTML.
    """

    html: Markup
    closing: tuple[ClosingTag, ...]


@dataclass
class _OpenItem:
    """The last item of a list that is open, with the number of the blocks that opened the list and the item."""

    depth: int
    is_ordered: bool
    list_opened_by: int
    number: int
    opened_by: int


def tagged_blocks(blocks: Sequence[Block]) -> Iterator[TaggedBlock]:
    """The blocks of a text as HTML: paragraphs, tables, and list items in lists that are nested in each other."""
    open_items: list[_OpenItem] = []
    for index, (block, following) in enumerate(zip_longest(blocks, blocks[1:])):
        if block.type == "li":
            html = _open_item(index, block, open_items) + inline_html(block)
        elif block.type == "table":
            html = _table_html(block)
        else:
            html = Markup("<p>{}</p>").format(inline_html(block))
        yield TaggedBlock(html, tuple(_closed_before(following, open_items)))


def _open_item(index: int, block: Block, open_items: list[_OpenItem]) -> Markup:
    """The tags before a list item, which joins the list that is open at its depth or opens one there.

    An item with the number of the one before it is a further part of that one.
    """
    if open_items and open_items[-1].depth == _depth(block):
        item = open_items[-1]
        if _continues(item, block):
            return Markup("<br>")
        is_next = not item.is_ordered or block.number == item.number + 1
        item.number, item.opened_by = block.number, index
        return Markup("<li>") if is_next else Markup('<li value="{}">').format(block.number)
    open_items.append(_OpenItem(_depth(block), block.number > 0, index, block.number, index))
    if block.number == 0:
        return Markup("<ul><li>")
    return Markup('<ol start="{}"><li>').format(block.number) if block.number > 1 else Markup("<ol><li>")


def _closed_before(following: Block | None, open_items: list[_OpenItem]) -> Iterator[ClosingTag]:
    """Close the items and lists that do not go on in the block that follows."""
    is_item = following is not None and following.type == "li"
    while open_items:
        item = open_items[-1]
        if following and is_item and (item.depth < _depth(following) or _continues(item, following)):
            return
        yield ClosingTag(item.opened_by, Markup("</li>"))
        joins = following and is_item and item.depth == _depth(following)
        if following and joins and item.is_ordered == (following.number > 0):
            return
        open_items.pop()
        yield ClosingTag(item.list_opened_by, Markup("</ol>") if item.is_ordered else Markup("</ul>"))


def _continues(item: _OpenItem, block: Block) -> bool:
    return item.depth == _depth(block) and item.number == block.number > 0


def _depth(block: Block) -> int:
    return min(block.depth, MAX_LIST_DEPTH)
