"""A weekly post's HTML to its overview and papers: pure, and tolerant of every year's shape.

The labels inside a post (`논문 소개`, …) are the guide, not heading levels or rules; see `_starts`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from issues.parse.outline import Item, Part, Picture, label_of, read_items
from issues.parse.text import Block, Run, TextError, clean, has_hangul, safe_url, without_emoji
from issues.parse.titles import Week, comparable_url, parse_week, split_title, title_key


@dataclass(frozen=True)
class Link:
    """An address under 논문 링크 or 더 읽어보기; `label` is the text beside it, if any."""

    url: str
    label: str = ""


@dataclass(frozen=True)
class PaperContent:
    """One paper as its post gives it; a part in a language the post lacks is empty.

    `anchor` names its place on the post's page; it changes with every heading before it.
    """

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
    anchor: str = ""

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
    title = clean(title)
    try:
        items = read_items(html, base)
    except TextError as error:
        return IssueContent(title, week, problems=(str(error),))
    return _assemble(title, week, items)


def _assemble(title: str, week: Week, items: list[Item]) -> IssueContent:
    starts = _starts(items)
    end = _ending(items)
    papers = _without_repeats(_paper(items[a:b]) for a, b in pairwise([*starts, end]))
    overview, summary = _front(items[: starts[0]] if starts else items, title)
    content = IssueContent(title, week, overview, summary, papers)
    missing = _missing_share(content, items[:end], items[end:])
    return replace(content, problems=tuple(_problems(content, missing)))


def _without_repeats(papers: Iterable[PaperContent]) -> tuple[PaperContent, ...]:
    """The papers, one that the post lists twice only once; two papers under one link are two."""
    return tuple(
        {(paper.key, title_key(paper.title_en or paper.title_ko)): paper for paper in papers}.values()
    )


def _starts(items: Sequence[Item]) -> list[int]:
    """Where papers begin: the title before each 논문 소개, and headings of the same rank that open a
    paper whose 논문 소개 is missing."""
    labelled = [_title_before(items, index) for index, item in enumerate(items) if item.label == "intro"]
    starts = {index for index in labelled if index is not None}
    levels = {items[index].level for index in starts if items[index].kind == "heading"}
    following: Part | None = None
    for index in range(len(items) - 1, -1, -1):
        item = items[index]
        if item.label:
            following = item.label
        elif item.level in levels and following in {"abstract", "link"} and not _is_greeting(item):
            starts.add(index)
            following = None
    return sorted(starts)


def _title_before(items: Sequence[Item], label: int) -> int | None:
    """The heading, or without one the line, that stands nearest before a label."""
    nearest_block = None
    for index in range(label - 1, -1, -1):
        item = items[index]
        if item.label or _is_greeting(item):
            break
        if item.kind == "heading":
            return index
        if item.kind == "block" and nearest_block is None:
            nearest_block = index
    return nearest_block


# The ending's texts (an invitation, a request, a disclaimer): each holds all words of one row.
_INVITATION = ("파이토치 한국 사용자 모임", "가입")
_ENDINGS = (("파이토치 한국 사용자 모임",), ("좋아요", "눌러"), ("GPT", "원문"), ("전체 주제 읽기",))


def _is_ending(item: Item) -> bool:
    return item.kind == "block" and any(all(word in item.text for word in words) for words in _ENDINGS)


def _ending(items: Sequence[Item]) -> int:
    """Where the last paper ends: at a rule, 원문 or a text of the ending after the last paper's links."""
    places = {item.label: index for index, item in enumerate(items)}
    last = max(places.get(part, -1) for part in ("intro", "abstract", "link"))
    more = places.get("more", -1)
    for index in range(last + 1, len(items)):
        item = items[index]
        if item.label == "source" or _is_ending(item) or (item.kind == "rule" and index > more):
            return index
    return len(items)


def _front(items: Sequence[Item], title: str) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """Overview and summary: what stands before the first paper, without the title and the greeting."""
    overview: list[Block] = []
    summary: list[Block] = []
    target = overview
    for item in items:
        if item.label == "summary":
            target = summary
        elif item.text and not (_is_greeting(item) or item.level == 1 or _is_name(item.text, title)):
            target.append(_text(item))
    return tuple(overview), tuple(summary)


def _is_greeting(item: Item) -> bool:
    """Whether a heading repeats the post's title or is the forum's own line."""
    return item.kind == "heading" and (
        title_key(item.text).startswith("pytorchkr") or parse_week(item.text) is not None
    )


def _is_name(text: str, title: str) -> bool:
    return title_key(text) in {title_key(title), "pytorchkr"}


def _paper(items: Sequence[Item]) -> PaperContent:
    """The paper in `items`; the first is its title."""
    title_ko, title_en = split_title(without_emoji(items[0].text))
    parts: dict[str, list[Item]] = {"intro": [], "abstract": [], "link": [], "more": []}
    part = "intro"
    for item in items[1:]:
        if item.label in parts:
            part = item.label
        elif item.kind != "rule":
            parts[part].append(item)
    intro_ko, intro_en = _by_language(parts["intro"])
    abstract_ko, abstract_en = _by_language(parts["abstract"])
    own, own_notes = _links(parts["link"])
    more, more_notes = _links(parts["more"])
    return PaperContent(
        title_ko=title_ko,
        title_en=title_en,
        intro_ko=intro_ko,
        intro_en=intro_en,
        abstract_ko=abstract_ko,
        abstract_en=abstract_en,
        url=own[0].url if own else "",
        links=tuple(dict.fromkeys((*own[1:], *more))),
        notes=own_notes + more_notes,
        pictures=tuple(item.picture for item in items if item.picture),
        anchor=items[0].anchor,
    )


def _text(item: Item) -> Block:
    """An item of a text as a block: headings in bold, oneboxes as their address."""
    if item.kind == "onebox":
        return Block("p", (Run(item.url, href=item.url),))
    if item.kind == "heading":
        return Block("p", tuple(replace(run, bold=True) for run in item.block.runs))
    return item.block


def _by_language(items: Sequence[Item]) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """Korean blocks, then English: all up to the last one with Hangul, and what follows it.

    What has no sentence of either (a formula, an address, code, a row of numbers) stays with its elders.
    """
    items = [item for item in items if item.kind != "picture"]
    end = 1 + max((index for index, item in enumerate(items) if has_hangul(item.text)), default=-1)
    while 0 < end < len(items) and _is_neutral(items[end]):
        end += 1
    blocks = tuple(_text(item) for item in items)
    return blocks[:end], blocks[end:]


def _is_neutral(item: Item) -> bool:
    prose = "".join(run.text for run in item.block.runs if not (run.code or run.math or run.href))
    return item.kind == "row" or not re.search(r"[A-Za-z]{2}", prose)


_ADDRESS = re.compile(r"https?://[^\s<>\"'{}|\\^`\[\]]+[^\s<>\"'{}|\\^`\[\].,;:!?)]")


def _links(items: Sequence[Item]) -> tuple[list[Link], tuple[Block, ...]]:
    """The addresses in a section of links, each place once, and its texts that hold none."""
    links: dict[str, Link] = {}
    notes: list[Block] = []
    for item in items:
        addresses = _addresses(item)
        label = "" if _is_mere_link(item) else item.text
        for address in addresses:
            links.setdefault(comparable_url(address), Link(address, label))
            label = ""
        if not addresses and item.text:
            notes.append(item.block)
    return list(links.values()), tuple(notes)


def _addresses(item: Item) -> list[str]:
    """The addresses of a onebox, of a linked picture, or in a text: linked or written out."""
    found = [item.url] if item.url else []
    for run in item.block.runs:
        found += [run.href] if run.href else _ADDRESS.findall(run.text)
    return [url for url in dict.fromkeys(found) if safe_url(url, url)]


def _is_mere_link(item: Item) -> bool:
    """Whether the item says nothing beside its link: an address, or a page's own title."""
    said = "".join(run.text for run in item.block.runs if not run.href)
    return not re.search(r"\w", _ADDRESS.sub("", said))


# --- checks -------------------------------------------------------------------------


def _problems(content: IssueContent, missing: float) -> Iterator[str]:
    if not content.papers:
        yield "no paper was found"
    for number, paper in enumerate(content.papers, 1):
        name = f"paper {number} ({(paper.title_en or paper.title_ko)[:60]})"
        needs = {
            "title": paper.title_ko or paper.title_en,
            "Korean introduction": paper.intro_ko,
            "Korean abstract": paper.abstract_ko,
            "link": paper.url,
        }
        lacks = [what for what, there in needs.items() if not there]
        if lacks:
            yield f"{name} has no {', no '.join(lacks)}"
        if any(_is_misplaced(block.text) for block in _texts_of(paper)):
            yield f"{name} holds a label or a line of the post's ending"
    if missing >= 0.1:
        yield f"{missing:.0%} of the post's text was not recognised"


def _texts_of(paper: PaperContent) -> tuple[Block, ...]:
    return (*paper.intro_ko, *paper.intro_en, *paper.abstract_ko, *paper.abstract_en)


def _is_misplaced(text: str) -> bool:
    return label_of(text) is not None or all(word in text for word in _INVITATION) or "전체 주제 읽기" in text


def _missing_share(content: IssueContent, items: Sequence[Item], ending: Sequence[Item]) -> float:
    """The share of the post's text that stands nowhere in the result, its usual ending aside."""
    blocks = [*content.overview, *content.summary]
    own = 0
    for paper in content.papers:
        blocks += [*_texts_of(paper), *paper.notes]
        own += len(f"{paper.title_ko} / {paper.title_en}") + sum(len(link.label) for link in paper.links)
    own += sum(len(block.text) for block in blocks)
    texts = [item for item in items if not (_is_greeting(item) or item.level == 1)]
    texts += [item for item in ending if not _is_ending(item)]
    total = sum(len(item.text) for item in texts if not (item.label or _is_mere_link(item)))
    return max(0.0, 1 - own / total) if total else 0.0
