"""A post's HTML as a flat list of items in reading order: headings, blocks, rules, oneboxes, pictures.

Every piece of text is in exactly one item. What is left out has a name: scripts, polls, captions of lightboxes,
pictures without a size, the frames of quotes, and the excerpts inside oneboxes.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count, islice
from typing import Literal

from selectolax.lexbor import LexborHTMLParser, LexborNode

from issues.parse.addresses import safe_url
from issues.parse.content import Picture
from issues.parse.inline import MAX_DEPTH, InlineReader, classes, is_dropped
from issues.parse.labels import Label, label_of
from issues.parse.text import Block, BlockType, TextError, TextRun, table_of, tidy

MAX_BYTES = 512 * 1024
MAX_OPEN_TAGS = MAX_DEPTH
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
    if len(html.encode("utf-8", "replace")) > MAX_BYTES:
        raise TextError(f"the post is larger than {MAX_BYTES // 1024} KB")
    if _open_tags(html) > MAX_OPEN_TAGS:
        raise TextError("the post's HTML has too many open tags")
    body = LexborHTMLParser(html).body
    if body is None:
        return []
    if next(islice(body.traverse(include_text=True), MAX_NODES, None), None):
        raise TextError(f"the post has more than {MAX_NODES} elements")
    reader = _OutlineReader(InlineReader(base, _footnotes(body)))
    return list(reader.items(body, _Place()))


_OPENING_OR_CLOSING = re.compile(r"<(/?)(?!(?:br|img|hr|p|li|wbr|input|col|source)\b)[a-z]", re.IGNORECASE)


def _open_tags(html: str) -> int:
    """About how many tags are open at once at most. The HTML parser's time grows with the square of it."""
    deepest = depth = 0
    for closing in _OPENING_OR_CLOSING.findall(html):
        depth += -1 if closing else 1
        deepest = max(deepest, depth)
    return deepest


def _footnotes(body: LexborNode) -> dict[str, LexborNode]:
    """The footnotes that the post refers to, by id. Those without a reference stay where they are, at the end."""
    links = body.css("sup.footnote-ref a[href]")
    wanted = {(link.attributes.get("href") or "").rpartition("#")[2] for link in links}
    notes = {note.attributes.get("id") or "": note for note in body.css("ol.footnotes-list li[id]")}
    return {name: note for name, note in notes.items() if name in wanted}


# --- walking through the HTML -------------------------------------------------------

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_LEAVES = _HEADINGS | {"hr", "pre", "table"}
_MEDIA = {"iframe", "video", "audio", "embed"}
_STRUCTURE = _LEAVES | _MEDIA | {
    "address", "article", "aside", "blockquote", "caption", "center", "dd", "details", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "header", "li", "main", "nav", "ol", "p",
    "section", "summary", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
}  # fmt: skip
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
        url = _target(node, self._inline.base) if _is_opaque(node) else None
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
                yield Item("heading", Block("p", runs), level=int(tag[1]), anchor=_anchor(node))
            yield from self._pictures(node.css("img"))

    def _table(self, node: LexborNode, place: _Place) -> Iterator[Item]:
        """A table as one block. A table that holds more than text is only a frame around it."""
        if node.css_first(_STRUCTURE_IN_TABLE):
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
        """The pictures among images. One without a size would move the text while it loads, so it is left out."""
        for image in images:
            url = safe_url(image.attributes.get("src"), self._inline.base)
            size = (image.attributes.get("width") or "", image.attributes.get("height") or "")
            width, height = (
                int(value) if value.isascii() and value.isdecimal() and len(value) < 6 else 0
                for value in size
            )
            in_lightbox = image.parent is not None and "lightbox" in classes(image.parent)
            if url and "emoji" not in classes(image) and (in_lightbox or (width and height)):
                yield Item("picture", picture=Picture(url, width, height))


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
    for line in _lines(tidy(runs)):
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
    last: Item | None = None
    for item in items:
        if last and _continues(last, item):
            runs = (*last.block.runs, TextRun("\n"), *item.block.runs)
            last = replace(last, block=replace(last.block, runs=runs))
            continue
        if last:
            yield last
        last = item
    if last:
        yield last


def _continues(last: Item, item: Item) -> bool:
    return (
        last.kind == item.kind == "block"
        and last.block.type == item.block.type == "li"
        and last.entry == item.entry
        and not (last.label or item.label)
    )


def _lines(runs: Sequence[TextRun]) -> Iterator[list[TextRun]]:
    line: list[TextRun] = []
    for run in runs:
        first, *others = run.text.split("\n")
        line.append(replace(run, text=first))
        for text in others:
            yield line
            line = [replace(run, text=text)]
    yield line


_ANCHOR = re.compile(r"p-\d+-[\w%-]{1,200}", re.ASCII)


def _anchor(heading: LexborNode) -> str:
    link = heading.css_first("a.anchor[name]")
    name = (link.attributes.get("name") or "") if link else ""
    return name if _ANCHOR.fullmatch(name) else ""


def _is_opaque(node: LexborNode) -> bool:
    """Whether the element is one opaque link: a onebox, a video, or a link to another topic of the forum.

    The forum shows its own topics as a quote without a person's name (Discourse, discourse_topic_onebox).
    """
    names = classes(node)
    if node.tag in _MEDIA or any(name.endswith("onebox") for name in names):
        return True
    return (
        node.tag == "aside"
        and "quote" in names <= {"quote", "quote-modified"}
        and not node.attributes.get("data-username")
        and node.css_first(".title a[href]") is not None
    )


def _target(node: LexborNode, base: str) -> str | None:
    """Where a onebox leads. Its first link says so too, since feedparser removes data-onebox-src."""
    links = node.css("header.source a[href], .title a[href]") + node.css("a[href]")
    addresses = [link.attributes.get("href") for link in links]
    sources = [source.attributes.get("src") for source in node.css("source[src]")]
    own = [node.attributes.get(name) for name in ("data-onebox-src", "src", "data-video-src")]
    urls = (safe_url(address, base) for address in [*own, *sources, *addresses])
    return next((url for url in urls if url), None)
