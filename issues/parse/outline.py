"""A post's HTML as a flat list of items in reading order: headings, blocks, rows, rules, oneboxes, pictures.

This module knows the labels inside a post (`논문 소개`, …) but not what belongs under them.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Literal

from selectolax.lexbor import LexborHTMLParser, LexborNode

from issues.parse.content import Picture
from issues.parse.text import (
    MAX_DEPTH,
    Block,
    TextError,
    TextRun,
    classes,
    inline_runs,
    is_dropped,
    runs_of,
    safe_url,
    strip_emoji,
    tidy,
)

MAX_BYTES = 512 * 1024
MAX_OPEN_TAGS = MAX_DEPTH
MAX_NODES = 50_000
MAX_LABEL_CHARACTERS = 40

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
class Item:
    """One item of the post. A `row` is a table row. `url` is where a onebox or a linked picture leads.

    `anchor` is the fragment of a heading on its page (Discourse, heading anchors).
    """

    kind: Literal["heading", "block", "row", "rule", "onebox", "picture"]
    block: Block = field(default=Block("p", ()))
    level: int = 0
    url: str = ""
    anchor: str = ""
    picture: Picture | None = None

    @cached_property
    def text(self) -> str:
        """The item's text, or empty for rules, oneboxes and pictures."""
        return self.block.text

    @cached_property
    def label(self) -> Part | None:
        """The part of a post that begins here, if the item is a label. A linked word never is one."""
        if self.kind == "heading" or (self.kind == "block" and not self.block.links):
            return label_of(self.text)
        return None


def label_of(text: str) -> Part | None:
    """The part that a line announces. Emoji, spaces and punctuation around the label do not count."""
    if len(text) > MAX_LABEL_CHARACTERS:
        return None
    letters = re.sub(r"[^\w()]+", "", strip_emoji(unicodedata.normalize("NFKC", text)))
    return _LABELS.get(letters.lower())


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
    _move_footnotes(body)
    return list(_items(body, base))


_OPENING_OR_CLOSING = re.compile(r"<(/?)(?!(?:br|img|hr|p|li|wbr|input|col|source)\b)[a-z]", re.IGNORECASE)


def _open_tags(html: str) -> int:
    """About how many tags are open at once at most. The HTML parser's time grows with the square of it."""
    deepest = depth = 0
    for closing in _OPENING_OR_CLOSING.findall(html):
        depth += -1 if closing else 1
        deepest = max(deepest, depth)
    return deepest


def _move_footnotes(body: LexborNode) -> None:
    """Move each footnote to its reference, because the list of footnotes comes after the end of the post."""
    notes = {note.attributes.get("id"): note for note in body.css("ol.footnotes-list li[id]")}
    for mark in body.css("sup.footnote-ref"):
        link = mark.css_first("a[href]")
        note = notes.get((link.attributes.get("href") or "").rpartition("#")[2]) if link else None
        if note:
            text = note.text().replace("↩︎", "").strip()
            mark.replace_with(f" ({text})")
    for list_of_notes in body.css("ol.footnotes-list, hr.footnotes-sep"):
        list_of_notes.decompose()


# --- walking through the HTML -------------------------------------------------------

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_LEAVES = _HEADINGS | {"hr", "pre", "tr"}
_STRUCTURE = _LEAVES | {
    "address", "article", "aside", "blockquote", "caption", "center", "dd", "details", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "header", "iframe", "li", "main", "nav", "ol", "p",
    "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "ul",
}  # fmt: skip

BlockType = Literal["p", "li"]


def _items(node: LexborNode, base: str, kind: BlockType = "p", depth: int = 0) -> Iterator[Item]:
    """The items inside an element. Inline content between structural elements becomes a block of `kind`."""
    if depth > MAX_DEPTH:
        raise TextError(f"the post is nested more than {MAX_DEPTH} elements deep")
    inline: list[TextRun] = []
    for child in node.iter(include_text=True):
        if not _has_structure(child):
            runs = list(runs_of(child, base))
            inline += runs
            yield from _linked_picture(child, runs, base)
        else:
            yield from _as_blocks(inline, kind)
            inline = []
            yield from _structure(child, base, kind, depth)
    yield from _as_blocks(inline, kind)


def _has_structure(node: LexborNode) -> bool:
    return any(inner.tag in _STRUCTURE for inner in node.traverse())


def _linked_picture(node: LexborNode, runs: Sequence[TextRun], base: str) -> Iterator[Item]:
    """A linked picture leads somewhere although the link has no text."""
    if node.tag == "a" and not "".join(run.text for run in runs).strip() and not is_dropped(node):
        url = safe_url(node.attributes.get("href"), base)
        if url and "lightbox" not in classes(node):
            yield Item("picture", url=url)


def _as_blocks(runs: Sequence[TextRun], kind: BlockType) -> Iterator[Item]:
    """The runs as one block. A label on its own line (before a `<br>`) becomes its own block."""
    block: list[TextRun] = []
    for line in _lines(tidy(runs)):
        if label_of("".join(run.text for run in line)):
            yield from _as_block(block, kind)
            yield from _as_block(line, kind)
            block = []
        else:
            block += [TextRun("\n"), *line]
    yield from _as_block(block, kind)


def _as_block(runs: Sequence[TextRun], kind: BlockType) -> Iterator[Item]:
    tidied = tidy(runs)
    if tidied:
        yield Item("block", Block(kind, tidied))


def _lines(runs: Sequence[TextRun]) -> Iterator[list[TextRun]]:
    line: list[TextRun] = []
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
        yield from _as_block([TextRun(node.text() or "", math=True)], kind)
    elif tag == "aside" and "quote" in names:
        for part in node.iter():
            if part.tag == "blockquote":
                yield from _items(part, base, kind, depth + 1)
    else:
        inner: BlockType = "li" if tag == "li" else "p" if tag in {"blockquote", "ul", "ol"} else kind
        yield from _items(node, base, inner, depth + 1)


def _leaf(node: LexborNode, base: str, kind: BlockType) -> Iterator[Item]:
    """The item of an element that holds only inline content (heading, code, table row), or of a rule."""
    tag = node.tag or ""
    if tag == "hr":
        yield Item("rule")
    elif tag == "pre":
        yield from _as_block([TextRun((node.text() or "").strip("\n"), code=True)], kind)
    elif tag == "tr":
        cells = [tidy(inline_runs(cell, base)) for cell in node.css("th, td")]
        runs = tidy([run for cell in cells for run in (*cell, TextRun(" · "))][:-1])
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
    """Whether the element is one opaque link: a onebox, a video, or a link to another topic of the forum.

    The forum shows its own topics as a quote without a person's name (Discourse, discourse_topic_onebox).
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
    """Where a onebox leads. Its first link says so too, since feedparser removes data-onebox-src."""
    links = node.css("header.source a[href], .title a[href]") + node.css("a[href]")
    addresses = [link.attributes.get("href") for link in links]
    own_attributes = [node.attributes.get(name) for name in ("data-onebox-src", "src")]
    urls = (safe_url(address, base) for address in [*own_attributes, *addresses])
    return next((url for url in urls if url), None)


def _pictures(wrapper: LexborNode, base: str) -> Iterator[Item]:
    for image in wrapper.css("img"):
        url = safe_url(image.attributes.get("src"), base)
        if url:
            size = (image.attributes.get("width") or "", image.attributes.get("height") or "")
            width, height = (int(value) if value.isdecimal() and len(value) < 6 else 0 for value in size)
            yield Item("picture", picture=Picture(url, width, height))
