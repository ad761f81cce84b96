"""The checks of a parsed weekly post: the reasons to hold it instead of sending it as it is."""

from collections.abc import Iterator, Sequence, Set

from core.languages import TextLanguage
from issues.parse.boilerplate import is_closing_line
from issues.parse.content import IssueContent, PaperContent
from issues.parse.labels import Label, label_of
from issues.parse.languages import language_of
from issues.parse.stated_counts import contradictions
from issues.parse.text import Block

MIN_CHARACTERS_OF_PAPER = 200  # of texts among a paper's links that may be another paper
MAX_DOUBTS = 10  # that are listed; a post with more is wrong as a whole


def problems_of(content: IssueContent, labels: Sequence[Set[Label]], doubts: Sequence[str]) -> Iterator[str]:
    """The reasons to hold an issue. `labels` are those that each paper has; `doubts` are those of its structure."""
    if not content.papers:
        yield "no paper was found"
    yield from doubts[:MAX_DOUBTS]
    if len(doubts) > MAX_DOUBTS:
        yield f"{len(doubts) - MAX_DOUBTS} more places cannot be told"
    for number, paper in enumerate(content.papers, 1):
        name = f"paper {number} ({paper.name[:60]})"
        has_labels = labels[number - 1] if len(labels) == len(content.papers) else set[Label]()
        missing = list(_missing_parts(paper, has_labels))
        if missing:
            yield f"{name} has no {', no '.join(missing)}"
        if any(_is_misplaced(block.text) for block in _texts_of(paper)):
            yield f"{name} holds a label or a line of the post's ending"
        if _may_be_paper(paper.notes):
            yield f"{name} has “{paper.notes[0].text[:60]}” among its links, which may be another paper"
    yield from contradictions(content)


def _missing_parts(paper: PaperContent, labels: Set[Label]) -> Iterator[str]:
    """The parts that a paper must have. A part whose label is missing may be under another heading."""
    if not paper.name:
        yield "title"
    if "intro" in labels and not (paper.intro_ko or _has_section_after(paper, "intro")):
        yield "Korean introduction"
    if "abstract" in labels and not (paper.abstract_ko or _has_section_after(paper, "abstract")):
        yield "Korean abstract"
    if not (paper.intro_ko or paper.abstract_ko or any(section.ko for section in paper.sections)):
        yield "Korean text"
    if not paper.url:
        yield "link"


def _has_section_after(paper: PaperContent, part: str) -> bool:
    return any(section.after == part and section.ko for section in paper.sections)


def _may_be_paper(notes: Sequence[Block]) -> bool:
    """Whether texts among links say much, and in both languages, as only a paper does."""
    is_long = sum(len(block.text) for block in notes) >= MIN_CHARACTERS_OF_PAPER
    return is_long and set(TextLanguage) <= {language_of([block]) for block in notes}


def _texts_of(paper: PaperContent) -> tuple[Block, ...]:
    texts = [paper.texts_in(language) for language in TextLanguage]
    return tuple(block for text in texts for block in (*text.intro, *text.abstract))


def _is_misplaced(text: str) -> bool:
    return label_of(text) is not None or is_closing_line(text)
