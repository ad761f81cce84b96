"""Text as Paperboy keeps it: blocks of inline text runs, read from untrusted HTML.

A block is a paragraph or a list item. A text run is a piece of text with one format. Nothing else of the
forum's HTML is kept, so stored text needs no further sanitising, only escaping on output.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import emoji
from selectolax.lexbor import LexborNode

from core.errors import PaperboyError

HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
_SPACES = re.compile(r"[ \t\r\f\v\u00a0\u2028\u2029\u0085]+")
_CONTROLS = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u2060\ufeff\ufffe\uffff\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LEFTOVER_BOLD = re.compile(r"\*\*(?!\d)|(?<![A-Za-z0-9])\*\*")  # but not the power in `2**10`
_SHORTCODE = re.compile(r":[a-z0-9_+\-]+(?::t\d)?:", re.IGNORECASE)
MAX_DEPTH = 100
MAX_URL_CHARACTERS = 2000


class TextError(PaperboyError):
    """A post's HTML is larger, or nested more deeply, than any editor would write."""


@dataclass(frozen=True)
class TextRun:
    """A piece of text with one format. `href` is an absolute http(s) address or None."""

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
    runs: tuple[TextRun, ...]

    @property
    def text(self) -> str:
        """The block's text without formats. Line breaks are newlines."""
        return "".join(run.text for run in self.runs)

    @property
    def links(self) -> tuple[str, ...]:
        """The addresses linked from inside the block, in order."""
        return tuple(run.href for run in self.runs if run.href)


def to_json(blocks: Iterable[Block]) -> list[Any]:
    """Blocks as JSON values. Attributes that are false or empty are left out."""
    return [
        {"type": block.type, "runs": [{k: v for k, v in asdict(run).items() if v} for run in block.runs]}
        for block in blocks
    ]


def from_json(value: list[Any]) -> tuple[Block, ...]:
    """The blocks that `to_json` wrote."""
    return tuple(Block(item["type"], tuple(TextRun(**run) for run in item["runs"])) for item in value)


def has_hangul(text: str) -> bool:
    """Whether any letter is Korean."""
    return bool(HANGUL.search(text))


def strip_emoji(text: str) -> str:
    """The text without emoji, leftover `**` and repeated spaces, which is what comparisons look at.

    Characters that are emoji only on request, like © and ↔, are text and stay.
    """
    without = emoji.replace_emoji(text, _keep_text_character).replace("\ufe0f", "").replace("\u200d", "")
    return " ".join(without.replace("**", "").split())


def _keep_text_character(character: str, data: dict[str, Any]) -> str:
    return character if data["status"] == emoji.STATUS["unqualified"] else ""


def clean(text: str) -> str:
    """The text on one line, without control characters, direction marks and repeated spaces."""
    return " ".join(_CONTROLS.sub("", text).split())


def safe_url(address: str | None, base: str) -> str | None:
    """The absolute http(s) address, or None for anything else (`javascript:`, a mere anchor, spaces)."""
    if not address or address.startswith("#") or len(address) > MAX_URL_CHARACTERS:
        return None
    try:
        url = urljoin(base, address.strip())
        parts = urlsplit(url)
        has_host = parts.hostname and parts.port != 0
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not has_host or re.search(r"[\s<>\"\\\x00-\x20\x7f]", url):
        return None
    return url


def emoji_character(shortcode: str) -> str:
    """The character of a Discourse shortcode like `:fire:`, or empty if there is none."""
    if not _SHORTCODE.fullmatch(shortcode):
        return ""
    without_skin_tone = re.sub(r":t\d:$", ":", shortcode).lower()
    found = emoji.emojize(without_skin_tone, language="alias")
    return _emoji_by_unicode_name().get(without_skin_tone, "") if found == without_skin_tone else found


@cache
def _emoji_by_unicode_name() -> dict[str, str]:
    """Characters by their Unicode names in lower case, which Discourse uses since 2023, as in `:south_korea:`."""
    return {data["en"].lower(): character for character, data in reversed(emoji.EMOJI_DATA.items())}


# --- inline HTML --------------------------------------------------------------------

PLAIN = TextRun("")

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
    """Whether the element never holds text to keep: scripts, heading anchors, picture captions, polls."""
    tag = node.tag or ""
    return tag in _DROPPED or tag.startswith("!") or bool(classes(node) & _DROPPED_CLASSES)


def inline_runs(node: LexborNode, base: str, format_: TextRun = PLAIN, depth: int = 0) -> Iterator[TextRun]:
    """The text runs of an element's content as written: spaces are kept, `<br>` is a newline.

    Raises:
        TextError: the content is nested more deeply than MAX_DEPTH.
    """
    if depth > MAX_DEPTH:
        raise TextError(f"the post is nested more than {MAX_DEPTH} elements deep")
    for child in node.iter(include_text=True):
        yield from runs_of(child, base, format_, depth)


def runs_of(node: LexborNode, base: str, format_: TextRun = PLAIN, depth: int = 0) -> Iterator[TextRun]:
    """The text runs of one node, which is text or an inline element. See `inline_runs`."""
    tag = node.tag or ""
    if tag == "-text":
        text = node.text_content or ""
        yield replace(format_, text=text if format_.code else text.replace("\n", " "))
    elif tag == "br":
        yield replace(format_, text="\n")
    elif tag == "img":
        if "emoji" in classes(node):
            yield replace(
                format_,
                text=emoji_character(node.attributes.get("title") or node.attributes.get("alt") or ""),
            )
    elif not is_dropped(node):
        yield from inline_runs(node, base, _format_inside(node, format_, base), depth + 1)


def _format_inside(node: LexborNode, format_: TextRun, base: str) -> TextRun:
    tag = node.tag or ""
    if tag == "a":
        return replace(format_, href=safe_url(node.attributes.get("href"), base) or format_.href)
    if classes(node) & {"math", "math-inline", "math-block"}:
        return replace(format_, math=True)
    if tag in {"strong", "b"}:
        return replace(format_, bold=True)
    if tag in {"em", "i"}:
        return replace(format_, italic=True)
    return replace(format_, code=format_.code or tag in {"code", "kbd", "samp", "tt"})


def tidy(runs: Iterable[TextRun]) -> tuple[TextRun, ...]:
    """Text runs with spaces collapsed, edges trimmed, leftover Markdown bold applied, and equal neighbours joined."""
    return _trim(_join(_apply_leftover_bold(_join(_collapse(runs)))))


def _collapse(runs: Iterable[TextRun]) -> Iterator[TextRun]:
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


def _join(runs: Iterable[TextRun]) -> list[TextRun]:
    joined: list[TextRun] = []
    for run in runs:
        if joined and replace(joined[-1], text="") == replace(run, text=""):
            joined[-1] = replace(run, text=joined[-1].text + run.text)
        elif run.text:
            joined.append(run)
    return joined


def _apply_leftover_bold(runs: list[TextRun]) -> Iterator[TextRun]:
    """Make `**text**` bold where Markdown did not, because a Korean particle follows; drop an unpaired `**`."""
    parts = [[run.text] if run.code or run.math else _LEFTOVER_BOLD.split(run.text) for run in runs]
    marks = sum(len(texts) - 1 for texts in parts)
    paired = marks - marks % 2
    seen = 0
    for run, texts in zip(runs, parts, strict=True):
        for number, text in enumerate(texts):
            seen += number > 0
            yield replace(run, text=text, bold=run.bold or (seen % 2 == 1 and seen <= paired))


def _trim(runs: list[TextRun]) -> tuple[TextRun, ...]:
    written = [index for index, run in enumerate(runs) if run.text.strip()]
    if not written:
        return ()
    runs = runs[written[0] : written[-1] + 1]
    runs[0] = replace(runs[0], text=runs[0].text.lstrip())
    runs[-1] = replace(runs[-1], text=runs[-1].text.rstrip())
    return tuple(runs)
