"""Weekly posts in which every block carries a mark, so that a test can tell where each block ends up."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from selectolax.lexbor import LexborHTMLParser, LexborNode

from issues.parse.boilerplate import is_closing
from issues.parse.labels import label_of
from issues.parse.outline import Item
from issues.parse.text import Block, TextRun, has_hangul

FRONT, END, BOILERPLATE = -1, -2, -3
MARK = re.compile(r"qz\d{4,6}zq")
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_TEXTS = {"p", "li", "td", "th", "pre", "summary", *_HEADINGS}


@dataclass(frozen=True)
class Mark:
    """A token in a block. `owner` is the number of the block's paper from 0, FRONT, END or BOILERPLATE.

    `is_korean` is None for a block that has no language of its own, such as code, a link, or a heading that belongs
    to the text below it.
    """

    token: str
    owner: int
    is_korean: bool | None


@dataclass(frozen=True)
class Part:
    """A top-level element of a post as HTML, the paper that it belongs to, and the marks in it."""

    html: str
    owner: int
    marks: tuple[Mark, ...] = ()

    @property
    def tag(self) -> str:
        """The element's tag."""
        found = re.match(r"<(\w+)", self.html)
        return found[1] if found else ""

    @property
    def text(self) -> str:
        """The element's text without marks."""
        body = LexborHTMLParser(self.html).body
        return " ".join(MARK.sub(" ", body.text() if body else "").split())

    @property
    def is_heading(self) -> bool:
        """Whether it is a heading."""
        return self.tag in _HEADINGS

    @property
    def is_label(self) -> bool:
        """Whether it is a heading that posts have as a label."""
        return self.is_heading and label_of(self.text) is not None


@dataclass
class MarkedPost:
    """A post as a list of parts."""

    title: str
    parts: list[Part]
    papers: int
    tokens: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def html(self) -> str:
        """The post's HTML."""
        return "\n".join(part.html for part in self.parts)

    @property
    def marks(self) -> list[Mark]:
        """All marks in the post."""
        return [mark for part in self.parts for mark in part.marks]

    def part(self, html: str, owner: int) -> Part:
        """A part with a mark in each of its blocks."""
        body = LexborHTMLParser(html).body
        assert body is not None
        marks = [self._mark(node, owner) for node in _text_blocks(body)]
        return Part(body.inner_html or "", owner, tuple(mark for mark in marks if mark))

    def _mark(self, node: LexborNode, owner: int) -> Mark | None:
        text = node.text() or ""
        if not text.strip() or (node.tag in _HEADINGS and label_of(text)):
            return None
        token = f"qz{next(self.tokens):04}zq"
        block = Item("block", Block("p", (TextRun(text),)))
        node.insert_child(f" {token}")
        kind = BOILERPLATE if is_closing(block) else owner
        return Mark(token, kind, None if _has_no_language(node) else has_hangul(text))


def _text_blocks(body: LexborNode) -> list[LexborNode]:
    """The innermost blocks of text. What a onebox shows of another page is not the post's."""
    found = []
    for node in body.css(", ".join(sorted(_TEXTS))):
        inside_card = _has_ancestor(node, "aside") or _has_ancestor(node, "lightbox-wrapper")
        is_innermost = not any(
            inner.tag in _TEXTS | {"ul", "ol", "table"} for inner in node.css("*") if inner != node
        )
        has_card = node.css_first("aside, .lightbox-wrapper, img:not(.emoji)") is not None
        if is_innermost and not inside_card and not has_card:
            found.append(node)
    return found


def _has_ancestor(node: LexborNode, name: str) -> bool:
    parent = node.parent
    while parent is not None:
        if parent.tag == name or name in (parent.attributes.get("class") or "").split():
            return True
        parent = parent.parent
    return False


def _has_no_language(node: LexborNode) -> bool:
    links = "".join("".join((link.text() or "").split()) for link in node.css("a[href]"))
    is_link = bool(links) and links == "".join(MARK.sub("", node.text() or "").split())
    return node.tag == "pre" or (node.tag in _HEADINGS and node.tag != "h2") or is_link


def marked_post(title: str, html: str) -> MarkedPost:
    """The post with a mark in every block. Its structure must be the known one."""
    body = LexborHTMLParser(html).body
    assert body is not None
    elements = [node.html or "" for node in body.iter() if node.tag]
    owners = _owners([Part(element, 0) for element in elements], title)
    post = MarkedPost(title, [], max(owners) + 1)
    for element, owner in zip(elements, owners, strict=True):
        post.parts.append(post.part(element, owner))
    return post


def _owners(parts: list[Part], title: str) -> list[int]:
    """Which paper each part belongs to. A paper begins at a heading of level 2 that is no label."""
    owners: list[int] = []
    owner = FRONT
    last = max(
        index for index, part in enumerate(parts) if part.is_label and label_of(part.text) in {"link", "more"}
    )
    for index, part in enumerate(parts):
        is_title = part.tag == "h2" and not part.is_label
        if owner != END and is_title:
            owner = owner + 1 if owner >= 0 else 0
        if index > last and owner >= 0 and (part.tag == "hr" or label_of(part.text) == "source"):
            owner = END
        is_greeting = part.tag == "h1" or "PyTorchKR" in part.text or part.text == title
        owners.append(BOILERPLATE if is_greeting and owner == FRONT else owner)
    return owners


def without_marks(part: Part) -> Part:
    """The part as boilerplate, whose marks nobody looks for."""
    return replace(part, marks=tuple(replace(mark, owner=BOILERPLATE) for mark in part.marks))
