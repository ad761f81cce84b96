"""Reads the inline content of untrusted HTML as text runs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache

import emoji
from selectolax.lexbor import LexborNode

from issues.parse.addresses import safe_url
from issues.parse.text import TextError, TextRun, lowered, raised, tidy

MAX_DEPTH = 100
PLAIN = TextRun("")

_SHORTCODE = re.compile(r":[a-z0-9_+\-]+(?::t\d)?:", re.IGNORECASE)
_DROPPED = {"script", "style", "svg", "template", "noscript", "object", "form", "button"}
_DROPPED_CLASSES = {"anchor", "lightbox-wrapper", "meta", "poll", "footnote-backref", "quote-controls"}
_MATH = {"math", "math-inline", "math-block"}


@dataclass
class InlineReader:
    """Reads runs. Relative addresses are resolved against `base`.

    `footnotes` has the content of each footnote by its id. A footnote's text stands at its first reference; further
    references keep their number, so that no text is multiplied.
    """

    base: str
    footnotes: dict[str, LexborNode] = field(default_factory=dict)
    shown_footnotes: set[str] = field(default_factory=set)

    def content(self, node: LexborNode, format_: TextRun = PLAIN, depth: int = 0) -> Iterator[TextRun]:
        """The text runs of an element's content as written: spaces are kept, `<br>` is a newline.

        Raises:
            TextError: the content is nested more deeply than MAX_DEPTH.
        """
        if depth > MAX_DEPTH:
            raise TextError(f"the post is nested more than {MAX_DEPTH} elements deep")
        for child in node.iter(include_text=True):
            yield from self.runs(child, format_, depth)

    def runs(self, node: LexborNode, format_: TextRun = PLAIN, depth: int = 0) -> Iterator[TextRun]:
        """The text runs of one node, which is text or an inline element. See `content`."""
        tag = node.tag or ""
        if tag == "-text":
            text = node.text_content or ""
            yield replace(format_, text=text if format_.code else text.replace("\n", " "))
        elif tag == "br":
            yield replace(format_, text="\n")
        elif tag == "img":
            yield from _emoji(node, format_)
        elif tag == "sup" and "footnote-ref" in classes(node):
            yield from self._footnote(node, format_, depth)
        elif tag in {"sup", "sub"}:
            yield from self._shifted(node, format_, depth)
        elif not is_dropped(node):
            yield from self.content(node, self._format_inside(node, format_), depth + 1)

    def _format_inside(self, node: LexborNode, format_: TextRun) -> TextRun:
        tag = node.tag or ""
        if tag == "a":
            return replace(format_, href=safe_url(node.attributes.get("href"), self.base) or format_.href)
        if classes(node) & _MATH:
            return replace(format_, math=True)
        if tag in {"strong", "b"}:
            return replace(format_, bold=True)
        if tag in {"em", "i"}:
            return replace(format_, italic=True)
        if tag in {"s", "del", "strike"}:
            return replace(format_, strike=True)
        return replace(format_, code=format_.code or tag in {"code", "kbd", "samp", "tt"})

    def _shifted(self, node: LexborNode, format_: TextRun, depth: int) -> Iterator[TextRun]:
        """Raised or lowered text in Unicode's own characters where it has them, as in 10⁶ and H₂O."""
        is_raised = node.tag == "sup"
        if format_.sup or format_.sub:  # a power of a power is written out, because 2^(3^(2)) is not 2³²
            yield replace(format_, text="^(" if is_raised else "_(")
            yield from self.content(node, format_, depth + 1)
            yield replace(format_, text=")")
            return
        holds_another = len(node.css("sup, sub")) > 1  # the first one is itself
        for run in self.content(node, replace(format_, sup=is_raised, sub=not is_raised), depth + 1):
            text = (raised if is_raised else lowered)(run.text.strip())
            if text is None or holds_another:
                yield run
            else:
                yield replace(run, text=text, sup=False, sub=False)

    def _footnote(self, mark: LexborNode, format_: TextRun, depth: int) -> Iterator[TextRun]:
        link = mark.css_first("a[href]")
        name = (link.attributes.get("href") or "").rpartition("#")[2] if link else ""
        note = self.footnotes.get(name)
        if note is None or name in self.shown_footnotes:
            yield replace(format_, text=mark.text())
            return
        self.shown_footnotes.add(name)
        runs = tidy(self.content(note, format_, depth + 1))
        yield from (replace(format_, text=" ("), *runs, replace(format_, text=")"))


def classes(node: LexborNode) -> set[str]:
    """The class names of an element."""
    return set((node.attributes.get("class") or "").split())


def is_dropped(node: LexborNode) -> bool:
    """Whether the element never holds text to keep: scripts, heading anchors, picture captions, polls."""
    tag = node.tag or ""
    return tag in _DROPPED or tag.startswith("!") or bool(classes(node) & _DROPPED_CLASSES)


def _emoji(image: LexborNode, format_: TextRun) -> Iterator[TextRun]:
    if "emoji" in classes(image):
        shortcode = image.attributes.get("title") or image.attributes.get("alt") or ""
        yield replace(format_, text=emoji_character(shortcode))


def emoji_character(shortcode: str) -> str:
    """The character of a Discourse shortcode like `:fire:`, or empty if there is none."""
    if not _SHORTCODE.fullmatch(shortcode):
        return ""
    return _emoji_by_shortcode().get(re.sub(r":t\d:$", ":", shortcode).lower(), "")


@cache
def _emoji_by_shortcode() -> dict[str, str]:
    """Characters by their aliases, else by their Unicode names, which Discourse uses since 2023 (`:south_korea:`).

    The library's own look-up reads through all its names for each one that it does not know.
    """
    characters = list(reversed(emoji.EMOJI_DATA.items()))
    names = {data["en"].lower(): character for character, data in characters}
    aliases = {
        alias: character
        for character, data in characters
        if data["status"] <= emoji.STATUS["fully_qualified"]
        for alias in data.get("alias", ())
    }
    return names | aliases
