"""A post's HTML as a flat sequence of things in reading order: headings, blocks, rules, links, pictures.

Knows the labels inside a post (`논문 소개`, …), not what stands under them.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Literal

from selectolax.lexbor import LexborHTMLParser, LexborNode

from issues.parse.text import (
    MAX_DEPTH,
    Block,
    Run,
    TextError,
    classes,
    inline_runs,
    is_dropped,
    runs_of,
    safe_url,
    tidy,
    without_emoji,
)

MAX_BYTES = 512 * 1024
MAX_OPEN_TAGS = MAX_DEPTH
MAX_NODES = 50_000

Part = Literal["intro", "abstract", "link", "more", "source", "summary"]

_LABELS: dict[str, Part] = {
    "논문소개": "intro",
    "논문초록(abstract)": "abstract",
    "논문초록": "abstract",
    "초록(abstract)": "abstract",
    "초록": "abstract",
    "논문링크": "link",
    "더읽어보기": "more",
    "원문": "source",
    "논문별핵심요약": "summary",
}


@dataclass(frozen=True)
class Picture:
    """A picture of a paper: address, width and height in CSS pixels (0: not told)."""

    url: str
    width: int
    height: int


@dataclass(frozen=True)
class Item:
    """One thing of the post; `row` is a table's, `url` what a onebox or a linked picture leads to.

    `anchor` names a heading's place on its page (Discourse, heading anchors).
    """

    kind: Literal["heading", "block", "row", "rule", "onebox", "picture"]
    block: Block = field(default=Block("p", ()))
    level: int = 0
    url: str = ""
    anchor: str = ""
    picture: Picture | None = None

    @cached_property
    def text(self) -> str:
        """The item's text; empty for rules, oneboxes and pictures."""
        return self.block.text

    @cached_property
    def label(self) -> Part | None:
        """The part of a post that begins here, if this is a label; a linked word is none."""
        if self.kind == "heading" or (self.kind == "block" and not self.block.links):
            return label_of(self.text)
        return None


def label_of(text: str) -> Part | None:
    """The part that a line announces; emoji, spaces and punctuation around the label do not count."""
    if len(text) > 40:
        return None
    bare = without_emoji(unicodedata.normalize("NFKC", text))
    return _LABELS.get(re.sub(r"[^\w()]+", "", bare).lower())


def read_items(html: str, base: str) -> list[Item]:
    """All items of a post; relative addresses stand against `base`.

    Raises:
        TextError: larger or nested deeper than any editor would write.
    """
    if len(html.encode("utf-8", "replace")) > MAX_BYTES:
        raise TextError(f"the post is larger than {MAX_BYTES // 1024} KB")
    if _open_tags(html) > MAX_OPEN_TAGS:
        raise TextError("the post's HTML is nested without end")
    body = LexborHTMLParser(html).body
    if body is None:
        return []
    if next(islice(body.traverse(include_text=True), MAX_NODES, None), None):
        raise TextError(f"the post has more than {MAX_NODES} elements")
    _move_footnotes(body)
    return list(_items(body, base))


_OPENING_OR_CLOSING = re.compile(r"<(/?)(?!(?:br|img|hr|p|li|wbr|input|col|source)\b)[a-z]", re.IGNORECASE)


def _open_tags(html: str) -> int:
    """The most tags open at once, roughly: the HTML parser's time grows with its square."""
    deepest = depth = 0
    for closing in _OPENING_OR_CLOSING.findall(html):
        depth += -1 if closing else 1
        deepest = max(deepest, depth)
    return deepest


def _move_footnotes(body: LexborNode) -> None:
    """Put each footnote where its number stands: the list of them follows the post's ending."""
    notes = {note.attributes.get("id"): note for note in body.css("ol.footnotes-list li[id]")}
    for mark in body.css("sup.footnote-ref"):
        link = mark.css_first("a[href]")
        note = notes.get((link.attributes.get("href") or "").rpartition("#")[2]) if link else None
        if note:
            text = note.text().replace("↩︎", "").strip()
            mark.replace_with(f" ({text})")
    for list_of_notes in body.css("ol.footnotes-list, hr.footnotes-sep"):
        list_of_notes.decompose()


# --- walking ------------------------------------------------------------------------

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_LEAVES = _HEADINGS | {"hr", "pre", "tr"}
_STRUCTURE = _LEAVES | {
    "address", "article", "aside", "blockquote", "caption", "center", "dd", "details", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "header", "iframe", "li", "main", "nav", "ol", "p",
    "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "ul",
}  # fmt: skip

BlockType = Literal["p", "li"]


def _items(node: LexborNode, base: str, kind: BlockType = "p", depth: int = 0) -> Iterator[Item]:
    """The items inside an element; stretches of inline content become blocks of `kind`."""
    if depth > MAX_DEPTH:
        raise TextError(f"the post is nested deeper than {MAX_DEPTH} elements")
    stretch: list[Run] = []
    for child in node.iter(include_text=True):
        if not _holds_structure(child):
            runs = list(runs_of(child, base))
            stretch += runs
            yield from _linked_picture(child, runs, base)
        else:
            yield from _as_blocks(stretch, kind)
            stretch = []
            yield from _structure(child, base, kind, depth)
    yield from _as_blocks(stretch, kind)


def _holds_structure(node: LexborNode) -> bool:
    return any(inner.tag in _STRUCTURE for inner in node.traverse())


def _linked_picture(node: LexborNode, runs: Sequence[Run], base: str) -> Iterator[Item]:
    """A picture that is a link leads somewhere although it has no text."""
    if node.tag == "a" and not "".join(run.text for run in runs).strip() and not is_dropped(node):
        url = safe_url(node.attributes.get("href"), base)
        if url and "lightbox" not in classes(node):
            yield Item("picture", url=url)


def _as_blocks(stretch: Sequence[Run], kind: BlockType) -> Iterator[Item]:
    """The stretch as one block; a label on a line of its own (before a `<br>`) is a block of its own."""
    block: list[Run] = []
    for line in _lines(tidy(stretch)):
        if label_of("".join(run.text for run in line)):
            yield from _as_block(block, kind)
            yield from _as_block(line, kind)
            block = []
        else:
            block += [Run("\n"), *line]
    yield from _as_block(block, kind)


def _as_block(runs: Sequence[Run], kind: BlockType) -> Iterator[Item]:
    tidied = tidy(runs)
    if tidied:
        yield Item("block", Block(kind, tidied))


def _lines(runs: Sequence[Run]) -> Iterator[list[Run]]:
    line: list[Run] = []
    for run in runs:
        first, *others = run.text.split("\n")
        line.append(replace(run, text=first))
        for text in others:
            yield line
            line = [replace(run, text=text)]
    yield line


def _structure(node: LexborNode, base: str, kind: BlockType, depth: int) -> Iterator[Item]:
    tag, names = node.tag or "", classes(node)
    if _is_onebox(node):
        url = _target(node, base)
        if url:
            yield Item("onebox", url=url)
    elif "lightbox-wrapper" in names:
        yield from _pictures(node, base)
    elif is_dropped(node):
        return
    elif tag in _LEAVES:
        yield from _leaf(node, base, kind)
    elif tag == "div" and "math" in names:
        yield from _as_block([Run(node.text() or "", math=True)], kind)
    elif tag == "aside" and "quote" in names:
        for part in node.iter():
            if part.tag == "blockquote":
                yield from _items(part, base, kind, depth + 1)
    else:
        inner: BlockType = "li" if tag == "li" else "p" if tag in {"blockquote", "ul", "ol"} else kind
        yield from _items(node, base, inner, depth + 1)


def _leaf(node: LexborNode, base: str, kind: BlockType) -> Iterator[Item]:
    """What holds inline content only: a heading, code, a table's row; and a rule."""
    tag = node.tag or ""
    if tag == "hr":
        yield Item("rule")
    elif tag == "pre":
        yield from _as_block([Run((node.text() or "").strip("\n"), code=True)], kind)
    elif tag == "tr":
        cells = [tidy(inline_runs(cell, base)) for cell in node.css("th, td")]
        runs = tidy([run for cell in cells for run in (*cell, Run(" · "))][:-1])
        if runs:
            yield Item("row", Block("li", runs))
    else:
        runs = tidy(inline_runs(node, base))
        if runs:
            yield Item("heading", Block("p", runs), level=int(tag[1]), anchor=_anchor(node))


_ANCHOR = re.compile(r"p-\d+-[\w%-]{1,200}", re.ASCII)


def _anchor(heading: LexborNode) -> str:
    link = heading.css_first("a.anchor[name]")
    name = (link.attributes.get("name") or "") if link else ""
    return name if _ANCHOR.fullmatch(name) else ""


def _is_onebox(node: LexborNode) -> bool:
    """Whether the element is one opaque link: a onebox, a video, or a topic of the forum itself.

    That last one is a quote without the name of a person (Discourse, discourse_topic_onebox).
    """
    names = classes(node)
    if node.tag == "iframe" or any(name.endswith("onebox") for name in names):
        return True
    return (
        node.tag == "aside"
        and "quote" in names <= {"quote", "quote-modified"}
        and not node.attributes.get("data-username")
        and node.css_first(".title a[href]") is not None
    )


def _target(node: LexborNode, base: str) -> str | None:
    """Where a onebox leads; feedparser removes the attribute that says so."""
    links = node.css("header.source a[href], .title a[href]") + node.css("a[href]")
    addresses = [link.attributes.get("href") for link in links]
    own = [node.attributes.get(name) for name in ("data-onebox-src", "src")]
    urls = (safe_url(address, base) for address in [*own, *addresses])
    return next((url for url in urls if url), None)


def _pictures(wrapper: LexborNode, base: str) -> Iterator[Item]:
    for image in wrapper.css("img"):
        url = safe_url(image.attributes.get("src"), base)
        if url:
            size = (image.attributes.get("width") or "", image.attributes.get("height") or "")
            width, height = (int(value) if value.isdecimal() and len(value) < 6 else 0 for value in size)
            yield Item("picture", picture=Picture(url, width, height))
