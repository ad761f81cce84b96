"""An edition to a mail's subject, HTML and text: Jinja, then MJML, then premailer, once for all.

The HTML is rendered with every block, measured piece by piece, and cut to the layout that fits, so
that what is measured is what is sent. What differs from reader to reader stays as markers.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import escape
from mjml import mjml2html
from premailer import Premailer

from emails.edition import Edition, PaperUnit, Part, subject_week
from emails.layout import NOTHING, Layout, Piece, Size, fit, size_of
from emails.plain import plain_text
from emails.prose import inline_html, readable
from emails.wording import day_values, say
from issues.post import Link
from issues.text import Block, has_hangul

LIMIT = 95_000  # bytes of the HTML part, decoded and encoded; Gmail clips at about 102 KB
PERSONAL = ("greeting", "preferences", "unsubscribe")
SUBJECT_WIDTH = 60
PREHEADER = 130
TITLE_WIDTH = 300  # of one paper; so long a title is a mistake in the post
LABEL_WIDTH = 100


class RenderError(Exception):
    """An edition that cannot be made to fit a mail."""


@dataclass(frozen=True)
class Rendered:
    """A mail without its reader: `html` and `text` hold a marker wherever one's own part goes."""

    subject: str
    html: str
    text: str
    nonce: str
    layout: Layout


def marker(nonce: str, name: str) -> str:
    """Where a reader's own part goes. No text of the forum can hold it: it names a hash of that text."""
    return f"https://{nonce}.invalid/{name}"


def fill(text: str, nonce: str, values: Mapping[str, str]) -> str:
    """The text with its markers replaced."""
    for name in PERSONAL:
        text = text.replace(marker(nonce, name), values[name])
    return text


def render(edition: Edition, *, widest: Mapping[str, str], limit: int = LIMIT) -> Rendered:
    """The mail of an edition, its HTML within `limit` bytes, decoded and encoded.

    `widest` holds the longest value of each personal part, so that every reader's mail fits.

    Raises:
        RenderError: not even titles and links fit.
    """
    nonce = hashlib.sha256(repr(edition).encode()).hexdigest()[:20]
    context = _context(edition, nonce)
    full = _to_html(context)
    pieces, notes = _measure(full, edition.parts)
    frame = size_of(fill(_cut(full, lambda _: False, lambda _: False), nonce, widest))
    layout = fit(edition.parts, frame, pieces, notes, limit)
    html = _apply(full, edition.parts, layout)
    if size_of(fill(html, nonce, widest)).most > limit:
        raise RenderError(
            f"{len(edition.papers)} papers do not fit a mail of {limit} bytes, even without their texts"
        )
    return Rendered(context["subject"], html, plain_text(context, layout.shown), nonce, layout)


# --- what the templates see ---------------------------------------------------------


def _context(edition: Edition, nonce: str) -> dict[str, Any]:
    language = edition.language
    start, end = subject_week(edition.issues)
    days = day_values(start, end)
    count = len(edition.papers)

    def say_here(phrase: str, spoken: str = language, /, **values: object) -> str:
        return say(spoken, phrase, **values)

    titles = [_title(paper, language) for paper in edition.papers]
    subject = say_here(f"subject_{edition.frequency}", count=count, first=titles[0], **days)
    spoken = say_here("both_name" if language == "both" else "language_name")
    return {
        "language": language,
        "root_language": "ko" if language == "both" else language,
        "subject": shorten(subject, SUBJECT_WIDTH),
        "preheader": shorten(
            say_here("preheader", count=count, titles=", ".join(titles[1:] + titles[:1])), PREHEADER
        ),
        "heading": say_here(f"heading_{edition.frequency}", count=count),
        "week": say_here("week_range", **days),
        "kind": f"{say_here(edition.frequency)} · {spoken}",
        "portions": _portions(edition),
        "opening": say_here(f"opening_{edition.frequency}", count=count),
        "why": say_here("why", frequency=say_here(edition.frequency)),
        "web": edition.issues[-1].url,
        "issues": _issues(edition),
        "remaining": edition.remaining,
        "say": say_here,
        "personal": lambda name: marker(nonce, name),
    }


def _issues(edition: Edition) -> list[dict[str, Any]]:
    place, first, index = 0, 0, 0
    issues = []

    def parts_of(parts: tuple[Part, ...]) -> list[dict[str, Any]]:
        nonlocal first, index
        shown = []
        for part in parts:
            blocks = tuple(readable(block) for block in part.blocks)
            shown.append(
                {
                    "index": index,
                    "first": first,
                    "name": part.name,
                    "language": part.language,
                    "blocks": blocks,
                }
            )
            first, index = first + len(blocks), index + 1
        return shown

    for issue in edition.issues:
        shown_parts = parts_of(issue.parts)
        papers = []
        for paper in issue.papers:
            place += 1
            papers.append(_paper(paper, place, edition.language) | {"parts": parts_of(paper.parts)})
        issues.append({"url": issue.url, "parts": shown_parts, "papers": papers})
    return issues


def _paper(paper: PaperUnit, place: int, language: str) -> dict[str, Any]:
    links = [{"url": link.url, "label": _link_label(link, language)} for link in paper.links]
    return {
        "place": place,
        "title": _title(paper, language),
        "subtitle": shorten(paper.subtitle, TITLE_WIDTH),
        "title_language": paper.title_language,
        "url": paper.url,
        "links": links,
        "late": paper.late,
    }


def _title(paper: PaperUnit, language: str) -> str:
    return shorten(paper.title, TITLE_WIDTH) or say(language, "untitled")


def _portions(edition: Edition) -> list[str]:
    """For a daily mail, which papers of each issue it brings, of those that come in several mails."""
    if edition.frequency == "weekly":
        return []
    return [
        say(
            edition.language,
            "portion",
            total=issue.total,
            positions=", ".join(str(paper.position) for paper in issue.papers),
            **day_values(issue.week.start, issue.week.end),
        )
        for issue in edition.issues
        if len(issue.papers) < issue.total
    ]


def _link_label(link: Link, language: str) -> str:
    """A link's label, or its address as people name it: `github.com/owner/name`, `example.org`."""
    if link.label and not (language == "en" and has_hangul(link.label)):
        return shorten(link.label, LABEL_WIDTH)
    parts = urlsplit(link.url)
    host = (parts.hostname or "").removeprefix("www.")
    known = {"github.com": 3, "huggingface.co": 3}.get(host)
    return host + "/".join(parts.path.split("/")[:known]).rstrip("/") if known else host


def shorten(text: str, width: int) -> str:
    """The text within `width` signs, cut between words and marked so; one long word is cut inside."""
    text = " ".join(text.split())
    if len(text) <= width:
        return text
    head = text[: width - 1]
    words = head if text[width - 1] == " " else head.rpartition(" ")[0]
    return (words.rstrip(" ,:;-") or head) + "…"


# --- HTML ---------------------------------------------------------------------------


@cache
def _environment() -> Environment:
    environment = Environment(loader=PackageLoader("emails"), autoescape=True, undefined=StrictUndefined)
    environment.filters["inline"] = inline_html
    environment.globals["list_of"] = _list_start
    return environment


def _list_start(part: Mapping[str, Any], index: int) -> int:
    """The segment of the first item of the list that the item at `index` belongs to."""
    blocks: tuple[Block, ...] = part["blocks"]
    while index and blocks[index - 1].type == "li":
        index -= 1
    return int(part["first"]) + index


def _to_html(context: Mapping[str, Any]) -> str:
    mjml = _environment().get_template("digest.mjml").render(context)
    html = mjml2html(mjml, fonts={})
    inlined = Premailer(
        html,
        allow_network=False,
        disable_leftover_css=False,
        keep_style_tags=False,
        remove_classes=True,
        cssutils_logging_level=50,
        disable_validation=True,
        strip_important=False,
    ).transform()
    return "<!doctype html>\n" + re.sub(r">\n+<", "><", inlined)


_BLOCK = re.compile(r"<!--s(\d+)-->(.*?)<!--/s\1-->", re.DOTALL)
_NOTE = re.compile(r"<!--n(\d+)-->(.*?)<!--/n\1-->", re.DOTALL)


def _cut(html: str, keep_block: Callable[[int], bool], keep_note: Callable[[int], bool]) -> str:
    html = _BLOCK.sub(lambda found: found[2] if keep_block(int(found[1])) else "", html)
    return _NOTE.sub(lambda found: found[2] if keep_note(int(found[1])) else "", html)


def _measure(html: str, parts: tuple[Part, ...]) -> tuple[dict[Piece, Size], dict[int, Size]]:
    sizes: dict[int, Size] = {}
    for found in _BLOCK.finditer(html):
        sizes[int(found[1])] = sizes.get(int(found[1]), NOTHING) + size_of(found[2])
    pieces = [Piece(index, block) for index, part in enumerate(parts) for block in range(len(part.blocks))]
    notes = {int(found[1]): size_of(found[2]) for found in _NOTE.finditer(html)}
    return {piece: sizes[number] for number, piece in enumerate(pieces)}, notes


def _apply(html: str, parts: tuple[Part, ...], layout: Layout) -> str:
    kept: list[bool] = []
    for part, shown in zip(parts, layout.shown, strict=True):
        kept += [block < shown for block in range(len(part.blocks))]
    was_cut = [shown < len(part.blocks) for part, shown in zip(parts, layout.shown, strict=True)]
    return _cut(html, kept.__getitem__, was_cut.__getitem__)


def html_greeting(language: str, name: str) -> str:
    """The greeting of one reader, escaped for HTML."""
    return str(escape(greeting(language, name)))


def greeting(language: str, name: str) -> str:
    """The greeting of one reader as text."""
    return say(language, "greeting", name=name) if name else say(language, "greeting_plain")
