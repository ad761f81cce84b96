"""Parses a weekly post's HTML into its overview, its papers and its closing. Pure, and tolerant of how posts look.

Every item of the post has its place in the result, or is boilerplate that `issues.parse.boilerplate` names.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise

from issues.parse.addresses import leads_to_paper
from issues.parse.boilerplate import is_closing, is_greeting, is_lone_link
from issues.parse.checks import problems_of
from issues.parse.content import IssueContent, PaperContent, Section
from issues.parse.labels import Label
from issues.parse.languages import has_language, split_by_language
from issues.parse.links import addresses_of, arxiv_numbers, links_and_notes, own_address
from issues.parse.outline import Item, read_items
from issues.parse.structure import read_structure
from issues.parse.text import Block, TextError, TextRun, clean, strip_emoji
from issues.parse.titles import split_title, title_key
from issues.parse.weeks import Week, parse_week

MAX_PAPERS = 100  # a post with more is no weekly post, and comparing all of them would take too long


def parse(
    title: str, html: str, base: str, *, published: date | None = None, week: Week | None = None
) -> IssueContent:
    """The issue in a weekly post.

    `title` is the topic's title, `html` the post's untrusted HTML, and `base` the topic's address, against
    which relative links are resolved. `published` is the day of the post, which tells the year of a week without one;
    `week` replaces what the title says. Bad HTML never raises: whatever cannot be read, or fails the checks of a
    weekly post, is named in `problems`.

    Raises:
        ValueError: the title names no week, and none is given.
    """
    week = week or parse_week(title, published)
    if week is None:
        raise ValueError("the title names no week of papers")
    title = clean(title)
    try:
        items = read_items(html, base)
    except TextError as error:
        return IssueContent(title, week, problems=(str(error),))
    return _assemble(title, week, items)


def _assemble(title: str, week: Week, items: list[Item]) -> IssueContent:
    structure = read_structure(items, title)
    bounds = [*structure.starts, structure.end]
    if len(structure.starts) > MAX_PAPERS:
        return IssueContent(title, week, problems=(f"the post has {len(structure.starts)} papers",))
    drafts = [_draft(_without_next_title(items, start, end)) for start, end in pairwise(bounds)]
    papers, repeats = _without_repeats([draft.paper for draft in drafts])
    front = items[: bounds[0]]
    key = title_key(title)
    overview, summary = _front(front, key)
    closing = _closing(items[structure.end :], key) if structure.starts else ()
    outside = [*front, *items[structure.end :]]
    pictures = tuple(item.picture for item in outside if item.picture)
    content = IssueContent(title, week, overview, summary, papers, closing, pictures)
    doubts = [*structure.doubts, *repeats, *_texts_between(drafts), *_joint_papers(drafts)]
    labels = [draft.labels for draft in drafts]
    return replace(content, problems=tuple(problems_of(content, labels, doubts)))


def _without_next_title(items: Sequence[Item], start: int, end: int) -> Sequence[Item]:
    """The items of a paper without the first copies of the next paper's title, if that stands there twice."""
    last = end
    while last > start + 1 and end < len(items) and _is_same_heading(items[last - 1], items[end]):
        last -= 1
    return items[start:last]


def _is_same_heading(one: Item, other: Item) -> bool:
    return one.kind == other.kind == "heading" and title_key(one.text) == title_key(other.text)


def _without_repeats(papers: Sequence[PaperContent]) -> tuple[tuple[PaperContent, ...], list[str]]:
    """The papers, each once even if the post lists it twice, and a problem for each that comes with two texts.

    Two titles under one link are two papers.
    """
    kept: list[PaperContent] = []
    first: dict[tuple[str, str], PaperContent] = {}
    problems = []
    for paper in papers:
        known = first.setdefault((paper.work, title_key(paper.name)), paper)
        if known is paper:
            kept.append(paper)
        elif replace(known, anchor="") != replace(paper, anchor=""):
            kept.append(paper)
            problems.append(f"the paper “{paper.name[:60]}” is in the post twice, with different texts")
    return tuple(kept), problems


def _texts_between(drafts: "Sequence[_Draft]") -> Iterator[str]:
    for number, draft in enumerate(drafts[:-1], 1):
        if draft.after_rule:
            text = draft.after_rule[0].text or draft.after_rule[0].url
            yield (
                f"between paper {number} ({draft.paper.name[:60]}) and paper {number + 1}, "
                f"“{text[:60]}” stands among the papers and belongs to none"
            )


def _joint_papers(drafts: "Sequence[_Draft]") -> Iterator[str]:
    for number, draft in enumerate(drafts, 1):
        if len(draft.numbers) > 1:
            yield f"paper {number} ({draft.paper.name[:60]}) may be {len(draft.numbers)} papers: it links to {', '.join(draft.numbers)}"


# --- before and after the papers ----------------------------------------------------


def _front(items: Sequence[Item], key_of_post: str) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """Overview and summary: everything before the first paper except the title and the greeting."""
    overview: list[Block] = []
    summary: list[Block] = []
    target = overview
    for item in items:
        if item.label == "summary":
            target = summary
        elif item.label != "overview" and not is_greeting(item, key_of_post):
            target += _as_blocks(item)
    return tuple(overview), tuple(summary)


def _closing(items: Sequence[Item], key_of_post: str) -> tuple[Block, ...]:
    """What the post says after its papers, without the source of the whole post and the forum's own lines."""
    blocks: list[Block] = []
    in_source = False
    for item in items:
        if item.label == "source":
            in_source = True
        elif item.kind == "rule" or is_closing(item) or is_greeting(item, key_of_post):
            in_source = False
        elif not (in_source and is_lone_link(item)):
            blocks += _as_blocks(item)
    return tuple(blocks)


def _as_blocks(item: Item) -> list[Block]:
    """An item inside a text as a block: a heading becomes bold, a onebox becomes its address."""
    if item.url:
        return [Block("p", (TextRun(item.url, href=item.url),))]
    if item.kind == "heading":
        return [Block("p", tuple(replace(run, bold=True) for run in item.block.runs))]
    return [item.block] if item.block.runs else []


def _blocks(items: Sequence[Item]) -> tuple[Block, ...]:
    return tuple(block for item in items for block in _as_blocks(item))


# --- papers -------------------------------------------------------------------------


@dataclass
class _SectionItems:
    """The items under one label or heading of a paper."""

    label: Label | None
    heading: str
    after: str
    heading_item: Item | None = None
    items: list[Item] = field(default_factory=list)


@dataclass
class _Draft:
    """A paper as it is read: its labels, the arXiv numbers of its own links, and what stands after its last rule."""

    paper: PaperContent
    labels: set[Label]
    numbers: list[str]
    after_rule: list[Item]


def _draft(items: Sequence[Item]) -> _Draft:
    """The paper in `items`. The first item is its title."""
    sections = _sections(items)
    labels = {section.label for section in sections[1:] if section.label}
    title_ko, title_en = split_title(strip_emoji(items[0].text))
    texts = {label: _of(sections, label) for label in ("intro", "abstract", "link", "more")}
    intro_ko, intro_en = split_by_language(texts["intro"])
    abstract_ko, abstract_en = split_by_language(texts["abstract"])
    own = own_address(texts["link"])
    own_links, own_notes = links_and_notes(texts["link"], own=own)
    more_links, more_notes = links_and_notes(texts["more"])
    url = own if own or "link" in labels else _likely_url(items)
    paper = PaperContent(
        title_ko=title_ko,
        title_en=title_en,
        intro_ko=_blocks(intro_ko),
        intro_en=_blocks(intro_en),
        abstract_ko=_blocks(abstract_ko),
        abstract_en=_blocks(abstract_en),
        url=url,
        links=tuple(dict.fromkeys((*own_links, *more_links))),
        notes=_blocks([*own_notes, *more_notes]),
        sections=tuple(_section(section) for section in sections if section.heading),
        pictures=tuple(item.picture for item in items if item.picture),
        anchor=items[0].anchor,
    )
    return _Draft(paper, labels, arxiv_numbers(texts["link"]), _after_last_rule(items))


def _sections(items: Sequence[Item]) -> list[_SectionItems]:
    """The parts of a paper in order. What stands before the first label or heading is its introduction."""
    sections = [_SectionItems("intro", "", "title")]
    after = "title"
    title = title_key(items[0].text)
    for item in items[1:]:
        label = "more" if item.label == "source" else item.label
        if label in {"intro", "abstract", "link", "more"}:
            after = str(label)
            sections.append(_SectionItems(label, "", after))
        elif item.kind == "heading" and title_key(item.text) != title:
            sections.append(_SectionItems(None, strip_emoji(item.text) or item.text, after, item))
        elif item.kind not in {"rule", "heading"} and not item.picture:
            sections[-1].items.append(item)
    return _without_empty(sections)


def _without_empty(sections: Sequence[_SectionItems]) -> list[_SectionItems]:
    """The sections, with a heading that nothing follows as the last line of the section before it."""
    kept = [sections[0]]
    for section in sections[1:]:
        if section.heading_item and not section.items:
            kept[-1].items.append(section.heading_item)
        else:
            kept.append(section)
    return kept


def _of(sections: Sequence[_SectionItems], label: str) -> list[Item]:
    return [item for section in sections if section.label == label for item in section.items]


def _section(section: _SectionItems) -> Section:
    if not has_language(section.items):
        blocks = _blocks(section.items)
        return Section(section.heading, section.after, blocks, blocks)
    korean, english = split_by_language(section.items)
    return Section(section.heading, section.after, _blocks(korean), _blocks(english))


def _likely_url(items: Sequence[Item]) -> str:
    """The address of a paper whose label 논문 링크 is missing: the first link to a paper, or the first by itself."""
    alone = [url for item in items if is_lone_link(item) for url in addresses_of(item)]
    others = [url for item in items for url in addresses_of(item)]
    to_papers = (url for url in (*alone, *others) if leads_to_paper(url))
    return next(to_papers, alone[0] if alone else "")


def _after_last_rule(items: Sequence[Item]) -> list[Item]:
    """What stands after the last rule of a paper, if no label or heading does."""
    rules = [index for index, item in enumerate(items) if item.kind == "rule"]
    rest = list(items[rules[-1] + 1 :]) if rules else []
    if any(item.label or item.kind == "heading" for item in rest):
        return []
    return [item for item in rest if item.text or item.url]
