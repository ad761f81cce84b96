"""A weekly post's HTML to its overview and papers: pure, and tolerant of every year's shape.

The labels inside a post (`논문 소개`, …) are the guide, not heading levels or rules; see `_starts`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from issues.text import (
    MAX_DEPTH,
    Block,
    Run,
    TextError,
    classes,
    has_hangul,
    inline_runs,
    is_dropped,
    runs_of,
    safe_url,
    tidy,
    without_emoji,
)

MAX_BYTES = 512 * 1024
MAX_OPEN_TAGS = 10_000

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
class Week:
    """The days a post covers, both included."""

    start: date
    end: date


@dataclass(frozen=True)
class Link:
    """An address under 논문 링크 or 더 읽어보기; `label` is the text beside it, if any."""

    url: str
    label: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture of a paper: address, width and height in CSS pixels (0: not told)."""

    url: str
    width: int
    height: int


@dataclass(frozen=True)
class PaperContent:
    """One paper as its post gives it; a part in a language the post lacks is empty."""

    title_ko: str
    title_en: str
    intro_ko: tuple[Block, ...] = ()
    intro_en: tuple[Block, ...] = ()
    abstract_ko: tuple[Block, ...] = ()
    abstract_en: tuple[Block, ...] = ()
    url: str = ""
    links: tuple[Link, ...] = ()
    notes: tuple[Block, ...] = ()
    pictures: tuple[Picture, ...] = ()

    @property
    def key(self) -> str:
        """What names the paper through edits: its link, else its English or Korean title."""
        return comparable_url(self.url) if self.url else title_key(self.title_en or self.title_ko)


@dataclass(frozen=True)
class IssueContent:
    """A weekly post, parsed; `problems` says why it should not go out as it is."""

    title: str
    week: Week
    overview: tuple[Block, ...] = ()
    summary: tuple[Block, ...] = ()
    papers: tuple[PaperContent, ...] = ()
    problems: tuple[str, ...] = ()


# --- title --------------------------------------------------------------------------

_WEEK = re.compile(
    r"\[\s*(\d{4})\s*[/.-]\s*(\d{1,2})\s*[/.-]\s*(\d{1,2})\s*[~～∼–-]\s*"
    r"(?:(?:(\d{4})\s*[/.-]\s*)?(\d{1,2})\s*[/.-]\s*)?(\d{1,2})\s*\]"
)


def parse_week(title: str) -> Week | None:
    """The week of a weekly post's title, or None when the topic is no weekly post."""
    found = _WEEK.search(title)
    if not found or "논문" not in title:
        return None
    year, month, day, end_year, end_month, end_day = (int(part) if part else 0 for part in found.groups())
    try:
        start = date(year, month, day)
        end = date(end_year or year, end_month or month, end_day)
        if end < start and not end_year:
            end = _next_year(end) if end_month else _next_month(end)
    except ValueError:
        return None
    return Week(start, end) if start <= end else None


def _next_year(day: date) -> date:
    return day.replace(year=day.year + 1)


def _next_month(day: date) -> date:
    return ((day.replace(day=1) + timedelta(days=32)).replace(day=1)).replace(day=day.day)


def split_title(title: str) -> tuple[str, str]:
    """Korean and English title: cut at the first ` / ` with no Hangul to its right."""
    for found in re.finditer(r"\s+/\s+", title):
        left, right = title[: found.start()].strip(), title[found.end() :].strip()
        if left and right and not has_hangul(right):
            return left, right
    return (title, "") if has_hangul(title) else ("", title)


def title_key(title: str) -> str:
    """A title without case, punctuation and spaces, for comparison."""
    return re.sub(r"[\W_]+", "", without_emoji(title).lower())


def comparable_url(url: str) -> str:
    """An address in the form in which two spellings of one place are equal."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    host = {"twitter.com": "x.com", "mobile.twitter.com": "x.com"}.get(host, host)
    path = parts.path.rstrip("/")
    if host in {"arxiv.org", "export.arxiv.org"}:
        host = "arxiv.org"
        path = re.sub(r"^/(?:pdf|html)/", "/abs/", path).removesuffix(".pdf")
        path = re.sub(r"v\d+$", "", path) if path.startswith("/abs/") else path
    query = "&".join(p for p in parts.query.split("&") if p and not re.match(r"(utm_\w+|ref)(=|$)", p))
    port = f":{parts.port}" if parts.port not in {None, 80, 443} else ""
    return urlunsplit(("https", host + port, path, query, ""))


# --- the post as a flat sequence ----------------------------------------------------


@dataclass(frozen=True)
class _Item:
    """One thing of the post, in reading order."""

    kind: Literal["heading", "block", "rule", "onebox", "picture"]
    block: Block = field(default=Block("p", ()))
    level: int = 0
    url: str = ""
    picture: Picture | None = None

    @property
    def text(self) -> str:
        return self.block.text

    @property
    def label(self) -> Part | None:
        if self.kind not in {"heading", "block"} or len(self.text) > 40:
            return None
        return _LABELS.get(re.sub(r"[\s:：*]+", "", without_emoji(self.text)).lower())


_INLINE = {
    "-text", "a", "strong", "b", "em", "i", "code", "br", "img", "span", "u", "s", "del", "ins", "sub", "sup",
    "small", "mark", "kbd", "abbr", "cite", "q", "big", "tt", "font", "label", "time", "var", "samp",
}  # fmt: skip


def _items(node: LexborNode, base: str, kind: Literal["p", "li"] = "p", depth: int = 0) -> Iterator[_Item]:
    """The items inside an element; stretches of inline content become blocks of `kind`."""
    if depth > MAX_DEPTH:
        raise TextError(f"the post is nested deeper than {MAX_DEPTH} elements")
    stretch: list[Run] = []
    for child in node.iter(include_text=True):
        tag = child.tag or ""
        if tag in _INLINE and not _holds_structure(child):
            stretch += runs_of(child, base)
        elif not (tag.startswith("-") or is_dropped(child)):
            yield from _as_block(stretch, kind)
            stretch = []
            yield from _structure(child, base, kind, depth)
        elif "lightbox-wrapper" in classes(child):
            yield from _pictures(child, base)
    yield from _as_block(stretch, kind)


def _holds_structure(node: LexborNode) -> bool:
    return (
        node.tag != "-text"
        and node.css_first("p, ul, ol, aside, blockquote, pre, h1, h2, h3, table, div") is not None
    )


def _as_block(stretch: list[Run], kind: Literal["p", "li"]) -> Iterator[_Item]:
    runs = tidy(stretch)
    if runs:
        yield _Item("block", Block(kind, runs))


def _structure(node: LexborNode, base: str, kind: Literal["p", "li"], depth: int) -> Iterator[_Item]:
    tag, names = node.tag or "", classes(node)
    if tag == "hr":
        yield _Item("rule")
    elif tag == "aside" and "onebox" in names:
        url = _onebox_url(node, base)
        if url:
            yield _Item("onebox", url=url)
    elif re.fullmatch(r"h[1-6]", tag):
        runs = tidy(inline_runs(node, base))
        if runs:
            yield _Item("heading", Block("p", runs), level=int(tag[1]))
    elif tag == "pre":
        yield from _as_block([Run((node.text() or "").strip("\n"), code=True)], kind)
    elif tag == "tr":
        cells = [tidy(inline_runs(cell, base)) for cell in node.css("th, td")]
        yield from _as_block([run for cell in cells for run in (*cell, Run(" · "))][:-1], "li")
    elif tag == "div" and "math" in names:
        yield from _as_block([Run(node.text() or "", math=True)], kind)
    elif tag == "aside" and "quote" in names:
        for quote in node.css("blockquote"):
            yield from _items(quote, base, kind, depth + 1)
    else:
        yield from _items(
            node, base, "li" if tag == "li" else "p" if tag in {"blockquote", "ul", "ol"} else kind, depth + 1
        )


def _onebox_url(node: LexborNode, base: str) -> str | None:
    source = safe_url(node.attributes.get("data-onebox-src"), base)
    if source:
        return source
    for link in node.css("header.source a[href], a[href]"):
        url = safe_url(link.attributes.get("href"), base)
        if url:
            return url
    return None


def _pictures(wrapper: LexborNode, base: str) -> Iterator[_Item]:
    for image in wrapper.css("img"):
        url = safe_url(image.attributes.get("src"), base)
        if url:
            size = (image.attributes.get("width") or "", image.attributes.get("height") or "")
            width, height = (int(value) if value.isdecimal() and len(value) < 6 else 0 for value in size)
            yield _Item("picture", picture=Picture(url, width, height))


# --- sections -----------------------------------------------------------------------


def parse(title: str, html: str, base: str) -> IssueContent:
    """The issue in a weekly post's HTML.

    `title` is the topic's, `base` the topic's address (relative links stand against it). Never
    raises for bad HTML: what cannot be read, or fails the checks of a weekly post, stands in
    `problems`.

    Raises:
        ValueError: the title is no weekly post's.
    """
    week = parse_week(title)
    if week is None:
        raise ValueError("the title names no week of papers")
    title = " ".join(title.split())
    if len(html.encode("utf-8", "replace")) > MAX_BYTES:
        return IssueContent(title, week, problems=(f"the post is larger than {MAX_BYTES // 1024} KB",))
    if _open_tags(html) > MAX_OPEN_TAGS:
        return IssueContent(title, week, problems=("the post's HTML is nested without end",))
    tree = LexborHTMLParser(html)
    try:
        items = list(_items(tree.body, base)) if tree.body else []
    except TextError as error:
        return IssueContent(title, week, problems=(str(error),))
    return _assemble(title, week, items)


def _open_tags(html: str) -> int:
    """The most tags open at once, roughly: the HTML parser's time grows with its square."""
    deepest = depth = 0
    for closing in re.findall(r"<(/?)[a-zA-Z]", html):
        depth += -1 if closing else 1
        deepest = max(deepest, depth)
    return deepest


def _assemble(title: str, week: Week, items: list[_Item]) -> IssueContent:
    starts = _starts(items)
    end = _ending(items, starts[-1]) if starts else len(items)
    bounds = [*starts, end]
    papers = tuple(_paper(items[a:b]) for a, b in pairwise(bounds))
    front = items[: starts[0]] if starts else items
    overview, summary = _front(front, title)
    content = IssueContent(title, week, overview, summary, _with_own_keys(papers))
    return replace(content, problems=tuple(_problems(content, _missing_share(content, items, title))))


def _with_own_keys(papers: tuple[PaperContent, ...]) -> tuple[PaperContent, ...]:
    """The papers without a second one under the same key (a post that lists one paper twice)."""
    seen: set[str] = set()
    return tuple(paper for paper in papers if not (paper.key in seen or seen.add(paper.key)))  # type: ignore[func-returns-value]


def _starts(items: Sequence[_Item]) -> list[int]:
    """Where papers begin: the title before each 논문 소개, and headings of the same rank that open a
    paper whose 논문 소개 is missing."""
    labelled = [_title_before(items, index) for index, item in enumerate(items) if item.label == "intro"]
    starts = {index for index in labelled if index is not None}
    levels = {items[index].level for index in starts if items[index].kind == "heading"}
    for index, item in enumerate(items):
        if (
            item.kind == "heading"
            and item.level in levels
            and not item.label
            and index > min(starts, default=0)
        ):
            following = next((other.label for other in items[index + 1 :] if other.label), None)
            if following in {"abstract", "link"}:
                starts.add(index)
    return sorted(starts)


def _title_before(items: Sequence[_Item], label: int) -> int | None:
    nearest_block = None
    for index in range(label - 1, -1, -1):
        item = items[index]
        if item.label:
            break
        if item.kind == "heading":
            return index
        if item.kind == "block" and nearest_block is None:
            nearest_block = index
    return nearest_block


_FOOTER = (
    re.compile(r"파이토치 한국 사용자 모임.*(정리한|유용하셨나요|가입)", re.DOTALL),
    re.compile(r"좋아요.*눌러", re.DOTALL),
    re.compile(r"GPT.*원문|원문.*GPT", re.DOTALL),
    re.compile(r"^(전체 주제 읽기|\d+개의 게시물 - \d+명의 참여자)$"),
)


def _is_footer(item: _Item) -> bool:
    return item.kind == "block" and any(pattern.search(item.text) for pattern in _FOOTER)


def _ending(items: Sequence[_Item], start: int) -> int:
    """Where the last paper, begun at `start`, ends and the post's ending begins."""
    part: Part | None = None
    for index in range(start + 1, len(items)):
        item = items[index]
        if item.label == "source":
            return index
        part = item.label or part
        if part in {"link", "more"}:
            more_to_come = any(other.label in {"link", "more", "abstract"} for other in items[index:])
            if _is_footer(item) or (item.kind == "rule" and not more_to_come):
                return index
    return len(items)


def _front(items: Sequence[_Item], title: str) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """Overview and summary: what stands before the first paper, without the title and the greeting."""
    overview: list[Block] = []
    summary: list[Block] = []
    target = overview
    for item in items:
        if item.label == "summary":
            target = summary
        elif item.kind in {"heading", "block"} and not _is_greeting(item, title):
            target.append(_bold(item.block) if item.kind == "heading" else item.block)
    return tuple(overview), tuple(summary)


def _is_greeting(item: _Item, title: str) -> bool:
    if item.kind == "heading" and (
        item.level == 1 or item.text.replace(" ", "").lower().startswith("pytorchkr")
    ):
        return True
    return title_key(item.text) in {title_key(title), "pytorchkr"}


def _bold(block: Block) -> Block:
    return Block(block.type, tuple(replace(run, bold=True) for run in block.runs))


def _paper(items: Sequence[_Item]) -> PaperContent:
    """The paper in `items`; the first is its title."""
    title_ko, title_en = split_title(" ".join(without_emoji(items[0].text).split()))
    parts: dict[str, list[_Item]] = {"intro": [], "abstract": [], "link": [], "more": []}
    part = "intro"
    pictures = []
    for item in items[1:]:
        if item.picture:
            pictures.append(item.picture)
        elif item.label in parts:
            part = item.label
        elif item.kind != "rule":
            parts[part].append(item)
    intro_ko, intro_en = _by_language(_texts(parts["intro"]))
    abstract_ko, abstract_en = _by_language(_texts(parts["abstract"]))
    own, own_notes = _links(parts["link"])
    more, more_notes = _links(parts["more"])
    url = own[0].url if own else ""
    links = tuple(dict.fromkeys((*own[1:], *more)))
    notes = own_notes + more_notes
    return PaperContent(
        title_ko, title_en, intro_ko, intro_en, abstract_ko, abstract_en, url, links, notes, tuple(pictures)
    )  # fmt: skip


def _texts(items: Sequence[_Item]) -> list[Block]:
    texts = []
    for item in items:
        if item.kind == "onebox":
            texts.append(Block("p", (Run(item.url, href=item.url),)))
        else:
            texts.append(_bold(item.block) if item.kind == "heading" else item.block)
    return texts


def _by_language(blocks: list[Block]) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """Korean blocks, then English: all up to the last block with Hangul, and what follows it.

    A block without a letter of either (a formula, a picture's address, code) stays with its elders.
    """
    korean = max((index for index, block in enumerate(blocks) if has_hangul(block.text)), default=-1)
    end = korean + 1
    while 0 < end < len(blocks) and _is_neutral(blocks[end]):
        end += 1
    return tuple(blocks[:end]), tuple(blocks[end:])


def _is_neutral(block: Block) -> bool:
    prose = "".join(run.text for run in block.runs if not (run.code or run.math or run.href))
    return not re.search(r"[A-Za-z]{2}", prose)


_ADDRESS = re.compile(r"https?://[^\s<>\"'{}|\\^`\[\]]+[^\s<>\"'{}|\\^`\[\].,;:!?)]")


def _links(items: Sequence[_Item]) -> tuple[list[Link], tuple[Block, ...]]:
    """The addresses in a section of links, and its texts that hold none."""
    links: list[Link] = []
    notes: list[Block] = []
    for item in items:
        addresses = (
            [item.url] if item.kind == "onebox" else list(item.block.links) or _ADDRESS.findall(item.text)
        )
        label = "" if _is_mere_link(item) else item.text
        links += [
            Link(url, label if number == 0 else "") for number, url in enumerate(dict.fromkeys(addresses))
        ]
        if not addresses:
            notes.append(item.block)
    known: dict[str, Link] = {}
    for link in links:
        known.setdefault(comparable_url(link.url), link)
    return list(known.values()), tuple(notes)


def _is_mere_link(item: _Item) -> bool:
    """Whether the item says nothing beside its link: an address, or a page's own title."""
    return not re.search(
        r"\w", _ADDRESS.sub("", "".join(run.text for run in item.block.runs if not run.href))
    )


# --- checks -------------------------------------------------------------------------


def _problems(content: IssueContent, missing: float) -> Iterator[str]:
    if not content.papers:
        yield "no paper was found"
    for number, paper in enumerate(content.papers, 1):
        name = f"paper {number} ({(paper.title_en or paper.title_ko)[:60]})"
        lacks = [
            what
            for what, there in (
                ("title", paper.title_ko or paper.title_en),
                ("Korean introduction", paper.intro_ko),
                ("Korean abstract", paper.abstract_ko),
                ("link", paper.url),
            )
            if not there
        ]
        if lacks:
            yield f"{name} has no {', no '.join(lacks)}"
        blocks = (*paper.intro_ko, *paper.intro_en, *paper.abstract_ko, *paper.abstract_en)
        if any(_is_footer(_Item("block", block)) or _Item("block", block).label for block in blocks):
            yield f"{name} holds a label or a line of the post's ending"
    if missing >= 0.1:
        yield f"{missing:.0%} of the post's text was not recognised"


def _missing_share(content: IssueContent, items: Sequence[_Item], title: str) -> float:
    """The share of the post's text that stands nowhere in the result."""
    kept = [*content.overview, *content.summary]
    for paper in content.papers:
        kept += [*paper.intro_ko, *paper.intro_en, *paper.abstract_ko, *paper.abstract_en, *paper.notes]
    own = sum(len(block.text) for block in kept) + sum(
        len(paper.title_ko) + len(paper.title_en) + sum(len(link.label) for link in paper.links)
        for paper in content.papers
    )
    total = sum(
        len(item.text)
        for item in items
        if item.kind in {"heading", "block"}
        and not (item.label or _is_greeting(item, title) or _is_mere_link(item) or _is_footer(item))
    )
    return max(0.0, 1 - own / total) if total else 0.0
