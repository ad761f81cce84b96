"""Text as Paperboy keeps it: blocks of inline runs, read from untrusted HTML.

A block is a paragraph or a list item; a run is a stretch of text with one look. Nothing else of
the forum's HTML survives, so what is stored needs no further sanitising, only escaping on output.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import emoji
from selectolax.lexbor import LexborNode

HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
_SPACES = re.compile(r"[ \t\r\f\v\u00a0\u2028\u2029\u0085]+")
_CONTROLS = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u2060\ufeff\ufffe\uffff\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LEFTOVER = re.compile(r"\*\*(?!\d)|(?<![A-Za-z0-9])\*\*")  # not in `2**10`, a power
_SHORTCODE = re.compile(r":[a-z0-9_+\-]+(?::t\d)?:", re.IGNORECASE)
MAX_DEPTH = 100
MAX_ADDRESS = 2000


class TextError(Exception):
    """HTML larger or nested deeper than any editor would write."""


@dataclass(frozen=True)
class Run:
    """A stretch of text with one look; `href` is absolute http(s) or None."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    math: bool = False
    href: str | None = None


@dataclass(frozen=True)
class Block:
    """A paragraph (`p`) or a list item (`li`)."""

    type: Literal["p", "li"]
    runs: tuple[Run, ...]

    @property
    def text(self) -> str:
        """The block without its looks; line breaks as newlines."""
        return "".join(run.text for run in self.runs)

    @property
    def links(self) -> tuple[str, ...]:
        """The addresses linked from inside the block, in order."""
        return tuple(run.href for run in self.runs if run.href)


def to_json(blocks: Iterable[Block]) -> list[Any]:
    """Blocks as JSON values, false and empty attributes left out."""
    return [
        {"type": block.type, "runs": [{k: v for k, v in asdict(run).items() if v} for run in block.runs]}
        for block in blocks
    ]


def from_json(value: list[Any]) -> tuple[Block, ...]:
    """The blocks that `to_json` wrote."""
    return tuple(Block(item["type"], tuple(Run(**run) for run in item["runs"])) for item in value)


def has_hangul(text: str) -> bool:
    """Whether any letter is Korean."""
    return bool(HANGUL.search(text))


def without_emoji(text: str) -> str:
    """The text without emoji, leftover `**` and doubled spaces: what counts when texts are compared.

    Signs that are emoji only by request, like © and ↔, are text and stay.
    """
    bare = emoji.replace_emoji(text, _sign).replace("\ufe0f", "").replace("\u200d", "")
    return " ".join(bare.replace("**", "").split())


def _sign(character: str, data: dict[str, Any]) -> str:
    return character if data["status"] == emoji.STATUS["unqualified"] else ""


def clean(text: str) -> str:
    """One line without control characters, direction marks and doubled spaces."""
    return " ".join(_CONTROLS.sub("", text).split())


def safe_url(address: str | None, base: str) -> str | None:
    """The absolute http(s) address, or None for anything else (`javascript:`, an anchor, spaces)."""
    if not address or address.startswith("#") or len(address) > MAX_ADDRESS:
        return None
    try:
        url = urljoin(base, address.strip())
        parts = urlsplit(url)
        there = parts.hostname and parts.port != 0
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not there or re.search(r"[\s<>\"\\\x00-\x20\x7f]", url):
        return None
    return url


def emoji_character(shortcode: str) -> str:
    """The character of a Discourse shortcode like `:fire:`, or nothing if there is none."""
    if not _SHORTCODE.fullmatch(shortcode):
        return ""
    plain = re.sub(r":t\d:$", ":", shortcode).lower()
    found = emoji.emojize(plain, language="alias")
    return _emoji_names().get(plain, "") if found == plain else found


@cache
def _emoji_names() -> dict[str, str]:
    """Characters by their Unicode names in lower case: the newer names of Discourse, as `:south_korea:`."""
    return {data["en"].lower(): character for character, data in reversed(emoji.EMOJI_DATA.items())}


# --- reading inline HTML ------------------------------------------------------------

PLAIN = Run("")

_DROPPED = {
    "script",
    "style",
    "svg",
    "template",
    "noscript",
    "iframe",
    "object",
    "video",
    "audio",
    "form",
    "button",
}
_DROPPED_CLASSES = {"anchor", "lightbox-wrapper", "meta", "poll", "footnote-backref", "quote-controls"}


def classes(node: LexborNode) -> set[str]:
    """The class names of an element."""
    return set((node.attributes.get("class") or "").split())


def is_dropped(node: LexborNode) -> bool:
    """Whether the element never holds text to keep: scripts, anchors, captions, polls."""
    tag = node.tag or ""
    return tag in _DROPPED or tag.startswith("!") or bool(classes(node) & _DROPPED_CLASSES)


def inline_runs(node: LexborNode, base: str, look: Run = PLAIN, depth: int = 0) -> Iterator[Run]:
    """The runs of an element's content, raw: spaces as written, `<br>` as a newline.

    Raises:
        TextError: nested deeper than MAX_DEPTH.
    """
    if depth > MAX_DEPTH:
        raise TextError(f"the post is nested deeper than {MAX_DEPTH} elements")
    for child in node.iter(include_text=True):
        yield from runs_of(child, base, look, depth)


def runs_of(node: LexborNode, base: str, look: Run = PLAIN, depth: int = 0) -> Iterator[Run]:
    """The runs of one node, itself text or an inline element, as `inline_runs` gives them."""
    tag = node.tag or ""
    if tag == "-text":
        text = node.text_content or ""
        yield replace(look, text=text if look.code else text.replace("\n", " "))
    elif tag == "br":
        yield replace(look, text="\n")
    elif tag == "img":
        if "emoji" in classes(node):
            yield replace(
                look, text=emoji_character(node.attributes.get("title") or node.attributes.get("alt") or "")
            )
    elif not is_dropped(node):
        yield from inline_runs(node, base, _look_inside(node, look, base), depth + 1)


def _look_inside(node: LexborNode, look: Run, base: str) -> Run:
    tag = node.tag or ""
    if tag == "a":
        return replace(look, href=safe_url(node.attributes.get("href"), base) or look.href)
    if classes(node) & {"math", "math-inline", "math-block"}:
        return replace(look, math=True)
    if tag in {"strong", "b"}:
        return replace(look, bold=True)
    if tag in {"em", "i"}:
        return replace(look, italic=True)
    return replace(look, code=look.code or tag in {"code", "kbd", "samp", "tt"})


def tidy(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Runs with spaces collapsed, edges trimmed, Markdown's leftover bold made bold, neighbours joined."""
    return _trim(_join(_bold_leftovers(_join(_collapse(runs)))))


def _collapse(runs: Iterable[Run]) -> Iterator[Run]:
    at_space = True
    for run in runs:
        text = _CONTROLS.sub("", run.text)
        if not run.code:
            text = re.sub(r" ?\n ?", "\n", _SPACES.sub(" ", text))
            if at_space:
                text = text.lstrip(" ")
        if text:
            at_space = text[-1] in " \n"
            yield replace(run, text=text)


def _join(runs: Iterable[Run]) -> list[Run]:
    joined: list[Run] = []
    for run in runs:
        if joined and replace(joined[-1], text="") == replace(run, text=""):
            joined[-1] = replace(run, text=joined[-1].text + run.text)
        elif run.text:
            joined.append(run)
    return joined


def _bold_leftovers(runs: list[Run]) -> Iterator[Run]:
    """`**bold**` that Markdown left over beside Korean particles; a `**` without a partner goes."""
    parts = [[run.text] if run.code or run.math else _LEFTOVER.split(run.text) for run in runs]
    marks = sum(len(texts) - 1 for texts in parts)
    paired = marks - marks % 2
    seen = 0
    for run, texts in zip(runs, parts, strict=True):
        for number, text in enumerate(texts):
            seen += number > 0
            yield replace(run, text=text, bold=run.bold or (seen % 2 == 1 and seen <= paired))


def _trim(runs: list[Run]) -> tuple[Run, ...]:
    written = [index for index, run in enumerate(runs) if run.text.strip()]
    if not written:
        return ()
    runs = runs[written[0] : written[-1] + 1]
    runs[0] = replace(runs[0], text=runs[0].text.lstrip())
    runs[-1] = replace(runs[-1], text=runs[-1].text.rstrip())
    return tuple(runs)
