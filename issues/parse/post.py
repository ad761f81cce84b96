"""Parses a weekly post's HTML into its overview and papers. Pure, and tolerant of how posts of each year look.

The labels inside a post (`논문 소개`, …) guide the parser, not heading levels or rules. See `_paper_starts`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from issues.parse.boilerplate import URL, is_bare_link, is_closing, is_forum_or_post_name, is_greeting
from issues.parse.checks import problems_of
from issues.parse.content import IssueContent, Link, PaperContent
from issues.parse.outline import Item, Part, read_items
from issues.parse.text import Block, TextError, TextRun, clean, has_hangul, safe_url, strip_emoji
from issues.parse.titles import Week, comparable_url, parse_week, split_title, title_key


def parse(title: str, html: str, base: str) -> IssueContent:
    """The issue in a weekly post.

    `title` is the topic's title, `html` the post's untrusted HTML, and `base` the topic's address, against
    which relative links are resolved. Bad HTML never raises: whatever cannot be read, or fails the checks of a
    weekly post, is named in `problems`.

    Raises:
        ValueError: the title is not a weekly post's.
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
    starts = _paper_starts(items)
    end = _end_of_papers(items)
    papers = _without_repeats(_paper(items[a:b]) for a, b in pairwise([*starts, end]))
    overview, summary = _front(items[: starts[0]] if starts else items, title)
    content = IssueContent(title, week, overview, summary, papers)
    return replace(content, problems=tuple(problems_of(content, items[:end], items[end:])))


def _without_repeats(papers: Iterable[PaperContent]) -> tuple[PaperContent, ...]:
    """The papers, each once even if the post lists it twice. Two titles under one link are two papers."""
    return tuple({(paper.key, title_key(paper.name)): paper for paper in papers}.values())


# --- where papers begin and end -----------------------------------------------------


def _paper_starts(items: Sequence[Item]) -> list[int]:
    """The indices at which papers begin.

    A paper begins at the title before each 논문 소개. A heading of the same level begins one as well if an
    abstract or a link follows it, because some posts forget the label 논문 소개.
    """
    labelled = [_title_before(items, index) for index, item in enumerate(items) if item.label == "intro"]
    starts = {index for index in labelled if index is not None}
    levels = {items[index].level for index in starts if items[index].kind == "heading"}
    next_label: Part | None = None
    for index in range(len(items) - 1, -1, -1):
        item = items[index]
        if item.label:
            next_label = item.label
        elif item.level in levels and next_label in {"abstract", "link"} and not is_greeting(item):
            starts.add(index)
            next_label = None
    return sorted(starts)


def _title_before(items: Sequence[Item], label: int) -> int | None:
    """The index of the heading nearest before a label; without a heading, of the nearest line."""
    nearest_block = None
    for index in range(label - 1, -1, -1):
        item = items[index]
        if item.label or is_greeting(item):
            break
        if item.kind == "heading":
            return index
        if item.kind == "block" and nearest_block is None:
            nearest_block = index
    return nearest_block


def _end_of_papers(items: Sequence[Item]) -> int:
    """Where the last paper ends: at a rule, at 원문, or at a closing text after the last paper's links."""
    last_index = {item.label: index for index, item in enumerate(items)}
    last = max(last_index.get(part, -1) for part in ("intro", "abstract", "link"))
    more = last_index.get("more", -1)
    for index in range(last + 1, len(items)):
        item = items[index]
        if item.label == "source" or is_closing(item) or (item.kind == "rule" and index > more):
            return index
    return len(items)


# --- sections -----------------------------------------------------------------------


def _front(items: Sequence[Item], title: str) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """Overview and summary: everything before the first paper except the title and the greeting."""
    overview: list[Block] = []
    summary: list[Block] = []
    target = overview
    for item in items:
        if item.label == "summary":
            target = summary
        elif item.text and not (
            is_greeting(item) or item.level == 1 or is_forum_or_post_name(item.text, title)
        ):
            target.append(_as_block(item))
    return tuple(overview), tuple(summary)


def _paper(items: Sequence[Item]) -> PaperContent:
    """The paper in `items`. The first item is its title."""
    title_ko, title_en = split_title(strip_emoji(items[0].text))
    parts: dict[str, list[Item]] = {"intro": [], "abstract": [], "link": [], "more": []}
    part = "intro"
    for item in items[1:]:
        if item.label in parts:
            part = item.label
        elif item.kind != "rule":
            parts[part].append(item)
    intro_ko, intro_en = _by_language(parts["intro"])
    abstract_ko, abstract_en = _by_language(parts["abstract"])
    own_links, own_notes = _links(parts["link"])
    more_links, more_notes = _links(parts["more"])
    return PaperContent(
        title_ko=title_ko,
        title_en=title_en,
        intro_ko=intro_ko,
        intro_en=intro_en,
        abstract_ko=abstract_ko,
        abstract_en=abstract_en,
        url=own_links[0].url if own_links else "",
        links=tuple(dict.fromkeys((*own_links[1:], *more_links))),
        notes=own_notes + more_notes,
        pictures=tuple(item.picture for item in items if item.picture),
        anchor=items[0].anchor,
    )


def _as_block(item: Item) -> Block:
    """An item inside a text as a block: a heading becomes bold, a onebox becomes its address."""
    if item.kind == "onebox":
        return Block("p", (TextRun(item.url, href=item.url),))
    if item.kind == "heading":
        return Block("p", tuple(replace(run, bold=True) for run in item.block.runs))
    return item.block


def _by_language(items: Sequence[Item]) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """The Korean blocks, which reach up to the last one with Hangul, and the English blocks after it.

    A block without a sentence in either language (a formula, an address, code, a row of numbers) belongs to
    the blocks before it.
    """
    items = [item for item in items if item.kind != "picture"]
    end = 1 + max((index for index, item in enumerate(items) if has_hangul(item.text)), default=-1)
    while 0 < end < len(items) and _has_no_sentence(items[end]):
        end += 1
    blocks = tuple(_as_block(item) for item in items)
    return blocks[:end], blocks[end:]


def _has_no_sentence(item: Item) -> bool:
    words = "".join(run.text for run in item.block.runs if not (run.code or run.math or run.href))
    return item.kind == "row" or not re.search(r"[A-Za-z]{2}", words)


# --- links --------------------------------------------------------------------------


def _links(items: Sequence[Item]) -> tuple[list[Link], tuple[Block, ...]]:
    """The addresses in a section of links, each once, and its texts that contain no address."""
    links: dict[str, Link] = {}
    notes: list[Block] = []
    for item in items:
        urls = _urls(item)
        label = "" if is_bare_link(item) else item.text
        for url in urls:
            links.setdefault(comparable_url(url), Link(url, label))
            label = ""  # the text labels the first address only
        if not urls and item.text:
            notes.append(item.block)
    return list(links.values()), tuple(notes)


def _urls(item: Item) -> list[str]:
    """The addresses of a onebox, of a linked picture, or in a text, where they are linked or written out."""
    found = [item.url] if item.url else []
    for run in item.block.runs:
        found += [run.href] if run.href else URL.findall(run.text)
    return [url for url in dict.fromkeys(found) if safe_url(url, url)]
