"""Which line of a post's own list of one line per paper belongs to which paper."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.languages import TextLanguage
from issues.paper_names import names_of
from issues.parse.addresses import comparable_url
from issues.parse.content import PaperContent
from issues.parse.readable import readable
from issues.parse.text import Block, has_hangul, without_emoji
from issues.parse.titles import title_key

MAX_BLOCKS = 400  # of the list that are looked at; a post has at most a hundred papers
MAX_LINE_CHARACTERS = 1_000
MIN_CHARACTERS = 8  # a shorter line says nothing

_WORD = re.compile(r"\w+")
_OPENING = re.compile(r"[\s\"'“‘`\[(<《「『·•▪]*")  # what may stand before a name
# What stands between a name and the text about it: `Owl (부엉이): text`, `Owl - text`.
_SEPARATOR = re.compile(
    r"[\"'”’`\])>》」』]*(?: ?\([^()\n]{1,60}\))?[\"'”’`\])>》」』]*(?:\s*[:：|]\s*|\s*[–—]\s*|\s+-\s+|\s*\n\s*)"
)


@dataclass(frozen=True)
class Line:
    """A paper's line: its place among the summary's blocks, and its text without the paper's name before it.

    The text `is_all` of its block if nothing is lost when the text stands with the paper instead.
    """

    position: int
    text: str
    is_all: bool


def lines_of_papers(
    summary: Sequence[Block], papers: Sequence[PaperContent]
) -> dict[tuple[int, TextLanguage], Line]:
    """The line of each paper that has one, by the paper's index and the line's language.

    A line belongs to the paper whose name or title it begins with. If the list has as many lines as the post has papers, and
    the names agree with the order, the other lines belong to the papers in order.
    """
    if not summary:
        return {}
    owners = _owners(summary, papers)
    lines: dict[tuple[int, TextLanguage], Line] = {}
    for position, (index, text) in owners.items():
        is_text = len(text) >= MIN_CHARACTERS and text[-1] not in ":?/"
        if is_text and title_key(text) not in _titles(papers[index]):
            language = TextLanguage.KO if has_hangul(text) else TextLanguage.EN
            is_all = _is_all(summary, position, papers[index], text)
            lines.setdefault((index, language), Line(position, text, is_all))
    return lines


def _owners(summary: Sequence[Block], papers: Sequence[PaperContent]) -> dict[int, tuple[int, str]]:
    """The paper's index and the text of each line, by the line's place."""
    names = _names(papers)
    texts = [_text(block) for block in summary[:MAX_BLOCKS]]
    owners = {position: found for position, text in enumerate(texts) if (found := _named(text, names))}
    in_order = _lines_in_order(summary, len(papers))
    if all(owners[position][0] == index for index, position in enumerate(in_order) if position in owners):
        for index, position in enumerate(in_order):
            owners.setdefault(position, (index, texts[position]))
    return owners


def _text(block: Block) -> str:
    is_line = block.type != "table" and sum(len(run.text) for run in block.runs) <= MAX_LINE_CHARACTERS
    lines = without_emoji(readable(block).text).split("\n") if is_line else []
    return "\n".join(" ".join(line.split()) for line in lines).strip()


def _names(papers: Sequence[PaperContent]) -> dict[str, int]:
    """The papers' indices by their names and titles in small letters, the longest first. What two papers share is no name."""
    found: list[tuple[str, int]] = []
    for index, paper in enumerate(papers):
        own = {*names_of(paper), paper.title_ko, paper.title_en, f"{paper.title_ko} / {paper.title_en}"}
        found += [(name.lower(), index) for name in {name.lower() for name in own} if len(name) > 1]
    counts = Counter(name for name, _ in found)
    return dict(sorted((each for each in found if counts[each[0]] == 1), key=lambda each: -len(each[0])))


def _named(text: str, names: Mapping[str, int]) -> tuple[int, str] | None:
    """The paper that a line names at its beginning, and what it says about the paper; None if it names no paper."""
    opening = _OPENING.match(text)
    start = opening.end() if opening else 0
    lower = text.lower()
    for name, index in names.items():
        end = start + len(name)
        if lower.startswith(name, start) and not (
            lower[end : end + 1].isascii() and lower[end : end + 1].isalnum()
        ):
            separator = _SEPARATOR.match(text, end)
            return index, text[separator.end() :] if separator else text
    return None


def _lines_in_order(summary: Sequence[Block], papers: int) -> list[int]:
    """The places of the list's lines if there are as many as papers. A list by topic has them one level deeper."""
    levels: dict[tuple[str, int], list[int]] = {}
    for position, block in enumerate(summary[:MAX_BLOCKS]):
        levels.setdefault((block.type, block.depth), []).append(position)
    fitting = (places for (kind, _), places in levels.items() if kind != "table" and len(places) == papers)
    return next(fitting, [])


def _titles(paper: PaperContent) -> set[str]:
    return {
        title_key(title) for title in (paper.title_ko, paper.title_en, paper.title_ko + paper.title_en)
    } | {title_key(name) for name in names_of(paper)}


def _is_all(summary: Sequence[Block], position: int, paper: PaperContent, text: str) -> bool:
    """Whether a line has no items below it, no links but the paper's own, and before its text only the paper's names."""
    block = summary[position]
    names = " ".join((paper.title_ko, paper.title_en, *names_of(paper)))
    before = set(_WORD.findall(_text(block).removesuffix(text).lower()))
    following = summary[position + 1 : position + 2]
    own = {comparable_url(url) for url in (paper.url, *(link.url for link in paper.links))}
    is_linked = all(
        comparable_url(url) in own or (paper.anchor and url.endswith(f"#{paper.anchor}"))
        for url in block.links
    )
    is_named = before <= set(_WORD.findall(names.lower()))
    return is_named and is_linked and not any(each.depth > block.depth for each in following)
