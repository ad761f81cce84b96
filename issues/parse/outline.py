"""A post's HTML as a flat list of items in reading order: headings, blocks, rules, oneboxes, pictures.

Every piece of text is in exactly one item. What is left out has a name: scripts, polls, captions of lightboxes,
pictures without a size, the frames of quotes, and the excerpts inside oneboxes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count, islice
from typing import Literal

from selectolax.lexbor import LexborHTMLParser, LexborNode

from issues.parse.addresses import safe_url
from issues.parse.content import Picture
from issues.parse.embeds import MEDIA, anchor_of, is_opaque, pictures_of, target_of
from issues.parse.html_limits import check_size
from issues.parse.inline import MAX_DEPTH, InlineReader, classes, is_dropped
from issues.parse.labels import Label, label_of
from issues.parse.text import Block, BlockType, TextError, TextRun, lines_of, table_of, tidy

MAX_NODES = 50_000


@dataclass(frozen=True)
class Item:
    """One item of the post.

    - `url` is where a onebox or a linked picture leads.
    - `anchor` is the fragment of a heading on its page (Discourse, heading anchors).
    - `is_quoted` says that it stands in a blockquote.
    - `entry` numbers the entries of lists: the blocks of one entry have the same number. It is 0 elsewhere.
    """

    kind: Literal["heading", "block", "rule", "onebox", "picture"]
    block: Block = field(default=Block("p", ()))
    level: int = 0
    url: str = ""
    anchor: str = ""
    picture: Picture | None = None
    is_quoted: bool = False
    entry: int = 0

    @cached_property
    def text(self) -> str:
        """The item's text, or empty for rules, oneboxes and pictures."""
        return self.block.text

    @cached_property
    def label(self) -> Label | None:
        """The part of a post that begins here, if the item is a label. A linked word never is one."""
        if self.kind == "heading" or (self.kind == "block" and not self.block.links):
            return label_of(self.text)
        return None


@dataclass(frozen=True)
class _Place:
    """Where the reader is: what its blocks are, and what they stand in."""

    kind: BlockType = "p"
    list_depth: int = -1
    number: int = 0
    entry: int = 0
    is_quoted: bool = False
    depth: int = 0


def read_items(html: str, base: str) -> list[Item]:
    """All items of a post. Relative addresses are resolved against `base`.

    Raises:
        TextError: the HTML is larger, or nested more deeply, than any editor would write.
    """
    check_size(html)
    body = LexborHTMLParser(html).body
    if body is None:
        return []
    if next(islice(body.traverse(include_text=True), MAX_NODES, None), None):
        raise TextError(f"the post has more than {MAX_NODES} elements")
    reader = _OutlineReader(InlineReader(base, _footnotes(body)))
    return list(reader.items(body, _Place()))


def _footnotes(body: LexborNode) -> dict[str, LexborNode]:
    """The footnotes that the post's texts refer to, by id. Those of headings stay where they are, at the end."""
    wanted = _fragments(body.css(_FOOTNOTE_LINKS)) - _fragments(body.css(f"{_ANY_HEADING} {_FOOTNOTE_LINKS}"))
    notes = {note.attributes.get("id") or "": note for note in body.css("ol.footnotes-list li[id]")}
    return {name: note for name, note in notes.items() if name in wanted}


def _fragments(links: Sequence[LexborNode]) -> set[str]:
    return {(link.attributes.get("href") or "").rpartition("#")[2] for link in links}


# --- walking through the HTML -------------------------------------------------------

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_LEAVES = _HEADINGS | {"hr", "pre", "table"}
_STRUCTURE = _LEAVES | MEDIA | {
    "address", "article", "aside", "blockquote", "caption", "center", "dd", "details", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "header", "li", "main", "nav", "ol", "p",
    "section", "summary", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
}  # fmt: skip
_ANY_HEADING = ":is(h1, h2, h3, h4, h5, h6)"
_FOOTNOTE_LINKS = "sup.footnote-ref a[href]"
_STRUCTURE_IN_TABLE = "h1, h2, h3, h4, h5, h6, hr, ul, ol, pre, aside, blockquote, details"


class _OutlineReader:
    """Walks through the elements of one post."""

    def __init__(self, inline: InlineReader) -> None:
        self._inline = inline
        self._entries = count(1)

    def items(self, node: LexborNode, place: _Place) -> Iterator[Item]:
        """The items inside an element. Inline content between structural elements becomes a block."""
        if place.depth > MAX_DEPTH:
            raise TextError(f"the post is nested more than {MAX_DEPTH} elements deep")
        runs: list[TextRun] = []
        pictures: list[Item] = []
        for child in node.iter(include_text=True):
            if not _has_structure(child):
                found = list(self._inline.runs(child))
                runs += found
                pictures += self._inline_pictures(child, found)
            else:
                yield from (*_as_blocks(runs, place), *pictures)
                runs, pictures = [], []
                yield from self._structure(child, place)
        yield from (*_as_blocks(runs, place), *pictures)

    def _structure(self, node: LexborNode, place: _Place) -> Iterator[Item]:
        tag, names = node.tag or "", classes(node)
        url = target_of(node, self._inline.base) if is_opaque(node) else None
        if url:
            yield Item("onebox", url=url)
        elif "lightbox-wrapper" in names:
            yield from self._pictures(node.css("img"))
        elif is_dropped(node) or "footnotes-sep" in names:
            return
        elif tag in _LEAVES:
            yield from self._leaf(node, place)
        elif tag == "div" and "math" in names:
            yield from _as_block([TextRun(node.text() or "", math=True)], place)
        elif tag == "aside" and "quote" in names:
            for part in node.iter():
                if part.tag == "blockquote":
                    yield from self.items(part, _inside(place, is_quoted=True))
        elif tag in {"ul", "ol"}:
            yield from self._list(node, place)
        else:
            is_quoted = place.is_quoted or tag == "blockquote"
            kind: BlockType = "p" if tag == "blockquote" else place.kind
            yield from self.items(node, _inside(place, kind=kind, is_quoted=is_quoted))

    def _list(self, node: LexborNode, place: _Place) -> Iterator[Item]:
        number = _start_of(node)
        for child in node.iter(include_text=True):
            inside = _inside(
                place,
                kind="li",
                list_depth=place.list_depth + 1,
                entry=next(self._entries),
                number=number if child.tag == "li" else 0,
            )
            if child.tag == "li":
                if child.attributes.get("id") in self._inline.footnotes:
                    continue
                number += number > 0
                yield from _joined_paragraphs(self.items(child, inside))
            elif _has_structure(child):
                yield from self._structure(child, inside)
            else:
                yield from _as_blocks(list(self._inline.runs(child)), inside)

    def _leaf(self, node: LexborNode, place: _Place) -> Iterator[Item]:
        """The item of a heading, code or a table, or of a rule."""
        tag = node.tag or ""
        if tag == "hr":
            yield Item("rule")
        elif tag == "pre":
            yield from _as_block([TextRun((node.text() or "").strip("\n"), code=True)], place)
        elif tag == "table":
            yield from self._table(node, place)
        else:
            runs = tidy(self._inline.content(node))
            if runs:
                yield Item("heading", Block("p", runs), level=int(tag[1]), anchor=anchor_of(node))
            yield from self._pictures(node.css("img"))

    def _table(self, node: LexborNode, place: _Place) -> Iterator[Item]:
        """A table as one block. A table that holds more than text is only a frame around it."""
        if node.css_first(_STRUCTURE_IN_TABLE) or len(node.css("table")) > 1:  # the first one is itself
            yield from self.items(node, _inside(place))
            return
        for caption in node.css("caption"):
            yield from _as_block(list(self._inline.content(caption)), place)
        rows = [[tidy(self._inline.content(cell)) for cell in row.css("th, td")] for row in node.css("tr")]
        rows = [row for row in rows if any(row)]
        if rows:
            yield Item("block", table_of(rows), is_quoted=place.is_quoted)
        yield from self._pictures(node.css("img"))

    # --- pictures -------------------------------------------------------------------

    def _inline_pictures(self, node: LexborNode, runs: Sequence[TextRun]) -> Iterator[Item]:
        """The pictures among inline content, and the link of a linked picture, which has no text."""
        if is_dropped(node) or "-" in (node.tag or "-"):
            return
        images = [node] if node.tag == "img" else node.css("img")
        if node.tag == "a" and not "".join(run.text for run in runs).strip():
            url = safe_url(node.attributes.get("href"), self._inline.base)
            if url and "lightbox" not in classes(node):
                yield Item("picture", url=url)
        yield from self._pictures(images)

    def _pictures(self, images: Sequence[LexborNode]) -> Iterator[Item]:
        for picture in pictures_of(images, self._inline.base):
            yield Item("picture", picture=picture)


def _inside(place: _Place, **changes: object) -> _Place:
    return replace(place, depth=place.depth + 1, **changes)  # type: ignore[arg-type]  # fields of _Place


def _has_structure(node: LexborNode) -> bool:
    return any(inner.tag in _STRUCTURE for inner in node.traverse())


def _start_of(node: LexborNode) -> int:
    """The number of the first entry of an ordered list; 0 for any other list."""
    start = node.attributes.get("start") or "1"
    is_number = start.isascii() and start.isdecimal() and len(start) < 6
    return (int(start) if is_number else 1) if node.tag == "ol" else 0


def _as_blocks(runs: Sequence[TextRun], place: _Place) -> Iterator[Item]:
    """The runs as one block. A label on its own line (before a `<br>`) becomes its own block."""
    block: list[TextRun] = []
    for line in lines_of(tidy(runs)):
        if label_of("".join(run.text for run in line)):
            yield from _as_block(block, place)
            yield from _as_block(line, place)
            block = []
        else:
            block += [TextRun("\n"), *line]
    yield from _as_block(block, place)


def _as_block(runs: Sequence[TextRun], place: _Place) -> Iterator[Item]:
    tidied = tidy(runs)
    if tidied:
        is_entry = place.kind == "li"
        block = Block(
            place.kind, tidied, max(place.list_depth, 0) if is_entry else 0, place.number if is_entry else 0
        )
        yield Item("block", block, is_quoted=place.is_quoted, entry=place.entry)


def _joined_paragraphs(items: Iterator[Item]) -> Iterator[Item]:
    """The items of a list's entry, with its paragraphs joined to one block."""
    parts: list[Item] = []
    for item in items:
        if parts and not _continues(parts[-1], item):
            yield _joined(parts)
            parts = []
        parts.append(item)
    if parts:
        yield _joined(parts)


def _joined(parts: Sequence[Item]) -> Item:
    """The parts as one item, with a line break between them."""
    first, *others = parts
    further = tuple(run for part in others for run in (TextRun("\n"), *part.block.runs))
    return replace(first, block=replace(first.block, runs=first.block.runs + further)) if others else first


def _continues(last: Item, item: Item) -> bool:
    return (
        last.kind == item.kind == "block"
        and last.block.type == item.block.type == "li"
        and last.entry == item.entry
        and not (last.label or item.label)
    )
