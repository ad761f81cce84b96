"""Chooses each paper's gist: one whole sentence of the post, verbatim but for markup, that says what the paper does. Pure.

A line of the post's own list of one line per paper comes first (see `issues.summary_lines`), then the best sentence of the
paper's introduction and abstract by the signs in `issues.gist_signs`. A sentence is never cut, joined or changed; where none
qualifies, there is no gist.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, takewhile

from core.languages import TextLanguage
from issues.gist_signs import NAME, points_of
from issues.paper_names import names_of
from issues.parse.content import IssueContent, PaperContent
from issues.parse.readable import readable
from issues.parse.sentences import sentences
from issues.parse.text import Block, has_hangul, without_emoji
from issues.summary_lines import Line, lines_of_papers

MAX_CHARACTERS = {TextLanguage.KO: 170, TextLanguage.EN: 220}
MIN_CHARACTERS = {TextLanguage.KO: 20, TextLanguage.EN: 40}
SHORT = {TextLanguage.KO: 36, TextLanguage.EN: 75}  # characters; a shorter sentence seldom says much
MAX_SENTENCES = 40  # of an introduction or abstract that are looked at
MAX_TEXT_CHARACTERS = 20_000  # of the blocks that are looked at; whoever writes more gets no better gist

_WHOLE = re.compile(r"[.!]['\"”’)\]]*$|[가-힣]다$")
_DASH = re.compile(r"\s*[-–—:]\s+")  # what stands between the bold lead of a list item and its text
_SPACES = re.compile(r"[^\S\n]+")
_LIST_NUMBER = re.compile(
    r"(?<![\w(])\(?(?:\d{1,2}|[ivx]{1,4}|[a-z])\)"
)  # of a list inside a sentence: `i) … ii) …`
_BRACKETS = re.compile(r"[()\[\]{}]")
_PAIRS = {")": "(", "]": "[", "}": "{"}
# What no gist holds: a line break, leftovers of markup, an address, and an initial, which may be the end of a sentence.
_UNFIT = re.compile(r"[\n\\`{}|]|\*\*|~~|\$(?!\d)|://|<[/a-zA-Z]|''|\b[A-Z]\. [A-Z]")


def with_gists(content: IssueContent) -> IssueContent:
    """The issue with the gist of each paper in each language. A gist that its papers had before does not matter."""
    lines = lines_of_papers(content.summary, content.papers)
    papers = tuple(
        with_own_gists(paper, {language: lines.get((index, language)) for language in TextLanguage})
        for index, paper in enumerate(content.papers)
    )
    return replace(content, papers=papers)


def with_own_gists(
    paper: PaperContent, lines: Mapping[TextLanguage, Line | None] | None = None
) -> PaperContent:
    """The paper with its gists, of its lines in the post's own list if they are given and short enough."""
    names = names_of(paper)
    gist_ko, gist_en = (
        _gist(paper, names, language, (lines or {}).get(language)) for language in TextLanguage
    )
    return replace(paper, gist_ko=gist_ko, gist_en=gist_en)


def leftover_summary(summary: Sequence[Block], papers: Sequence[PaperContent]) -> tuple[Block, ...]:
    """The blocks of the post's list of one line per paper that are no gist of these papers, in part or in whole."""
    lines = lines_of_papers(summary, papers)
    used = {
        line.position
        for (index, language), line in lines.items()
        if line.is_all and line.text == papers[index].texts_in(language).gist
    }
    return tuple(block for position, block in enumerate(summary) if position not in used)


def _gist(paper: PaperContent, names: Sequence[str], language: TextLanguage, line: Line | None) -> str:
    """The paper's line in the post's own list if it is short enough, else the sentence with the most points, or empty."""
    if line and len(line.text) <= MAX_CHARACTERS[language] and not _UNFIT.search(line.text):
        return line.text
    best_points, best = 0, ""
    for sentence, place in _sentences_of(paper, language):
        if (points := _points(sentence, place, names, language)) > best_points:
            best_points, best = points, sentence
    return best


def _sentences_of(paper: PaperContent, language: TextLanguage) -> Iterator[tuple[str, int]]:
    """The first sentences of the introduction and of the abstract, each with its place there, counted from 0.

    Those of the other sections take their place where a paper has neither.
    """
    texts = paper.texts_in(language)
    usual = [text for text in (texts.intro, texts.abstract) if text]
    for blocks in usual or [section.blocks_in(language) for section in paper.sections]:
        found = (
            sentence for block in _first(blocks) for line in _lines(block) for sentence in sentences(line)
        )
        for place, sentence in enumerate(islice(found, MAX_SENTENCES)):
            yield _SPACES.sub(" ", sentence), place


def _first(blocks: Sequence[Block]) -> Iterator[Block]:
    """The first blocks that are no longer than allowed together."""
    length = 0
    for block in blocks:
        length += sum(len(run.text) for run in block.runs)
        if length > MAX_TEXT_CHARACTERS:
            return
        yield block


def _lines(block: Block) -> list[str]:
    """The block's text without its lead, in parts that no sentence goes beyond."""
    if block.type == "table":
        return []
    runs = readable(block).runs
    bold = list(takewhile(lambda run: run.bold, runs))
    rest = replace(block, runs=runs[len(bold) :]).text
    ends_lead = bool(bold) and (bold[-1].text.rstrip().endswith(":") or _DASH.match(rest) is not None)
    text = _DASH.sub("", rest) if ends_lead else replace(block, runs=runs).text
    return without_emoji(text).replace(":\n", ":\n\n").split("\n\n")


def _points(sentence: str, place: int, names: Sequence[str], language: TextLanguage) -> int:
    """What speaks for a sentence as the gist, or 0 if it cannot be one. A name says nothing, however long it is."""
    if len(sentence) > MAX_CHARACTERS[language] or has_hangul(sentence) != (language == TextLanguage.KO):
        return 0
    marked = _with_names_marked(sentence, names)
    if len(marked) < MIN_CHARACTERS[language] or not _is_whole(sentence) or _UNFIT.search(sentence):
        return 0
    points = points_of(marked, language)
    is_short = len(marked) < SHORT[language]
    return 0 if points is None else max(1, points - place // 3 - 2 * is_short)


def _is_whole(sentence: str) -> bool:
    """Whether a sentence has its end, and every bracket and quotation mark in it its partner."""
    if not _WHOLE.search(sentence) or sentence.count('"') % 2:
        return False
    opened: list[str] = []
    for found in _BRACKETS.finditer(_LIST_NUMBER.sub("", sentence)):
        if found[0] not in _PAIRS:
            opened.append(found[0])
        elif not opened or opened.pop() != _PAIRS[found[0]]:
            return False
    return not opened


def _with_names_marked(sentence: str, names: Sequence[str]) -> str:
    """The sentence with NAME for each of the paper's names, whatever particle follows them."""
    if not names:
        return sentence
    choice = "|".join(re.escape(name) for name in names)
    return re.sub(rf"(?<![A-Za-z0-9가-힣])(?:{choice})(?![A-Za-z0-9])", NAME, sentence, flags=re.IGNORECASE)
