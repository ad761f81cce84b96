"""The checks of a parsed weekly post: the reasons to hold it instead of sending it as it is."""

from collections.abc import Iterator, Sequence

from core.languages import TextLanguage
from issues.parse.boilerplate import is_bare_link, is_closing, is_closing_line, is_greeting
from issues.parse.content import IssueContent, PaperContent
from issues.parse.outline import Item, label_of
from issues.parse.text import Block

MAX_MISSING_SHARE = 0.1


def problems_of(content: IssueContent, body: Sequence[Item], ending: Sequence[Item]) -> Iterator[str]:
    """The reasons to hold an issue; `body` and `ending` are the post's items up to its ending, and after it."""
    if not content.papers:
        yield "no paper was found"
    for number, paper in enumerate(content.papers, 1):
        name = f"paper {number} ({paper.name[:60]})"
        required = {
            "title": paper.name,
            "Korean introduction": paper.intro_ko,
            "Korean abstract": paper.abstract_ko,
            "link": paper.url,
        }
        missing = [what for what, value in required.items() if not value]
        if missing:
            yield f"{name} has no {', no '.join(missing)}"
        if any(_is_misplaced(block.text) for block in _texts_of(paper)):
            yield f"{name} holds a label or a line of the post's ending"
    missing_share = _missing_share(content, body, ending)
    if missing_share >= MAX_MISSING_SHARE:
        yield f"{missing_share:.0%} of the post's text was not recognised"


def _texts_of(paper: PaperContent) -> tuple[Block, ...]:
    texts = [paper.texts_in(language) for language in TextLanguage]
    return tuple(block for text in texts for block in (*text.intro, *text.abstract))


def _is_misplaced(text: str) -> bool:
    return label_of(text) is not None or is_closing_line(text)


def _missing_share(content: IssueContent, body: Sequence[Item], ending: Sequence[Item]) -> float:
    """The share of the post's characters that appear nowhere in the result. Its usual closing does not count."""
    blocks = [*content.overview, *content.summary]
    found = 0
    for paper in content.papers:
        blocks += [*_texts_of(paper), *paper.notes]
        found += len(f"{paper.title_ko} / {paper.title_en}") + sum(len(link.label) for link in paper.links)
    found += sum(len(block.text) for block in blocks)
    texts = [item for item in body if not (is_greeting(item) or item.level == 1)]
    texts += [item for item in ending if not is_closing(item)]
    total = sum(len(item.text) for item in texts if not (item.label or is_bare_link(item)))
    return max(0.0, 1 - found / total) if total else 0.0
