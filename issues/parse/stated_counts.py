"""How many papers a post says that it has: in its title, its overview, and its list of one line per paper."""

import re
from collections.abc import Iterator

from issues.parse.content import IssueContent

# A count of papers; the words around it say whether it is that of all papers.
_COUNT = re.compile(r"(?<![\d.,])(\d{1,2})\s?(?:편|개의\s?논문|건의\s?논문|papers?\b)")
_TITLE_COUNT = re.compile(r"(?<![\d/.~-])(\d{1,2})\s?(?:편|선\b)|\bTop\s?(\d{1,2})\b", re.IGNORECASE)
_ALL = re.compile(
    r"(?:이번\s?주(?:의|에는|에)?\s?(?:주요\s?)?(?:선정된\s?)?논문\s?|(?:총|모두|전체)\s?|the following |these |this week's )$",
    re.IGNORECASE,
)
_SUBJECT = re.compile(r"^(?:이|가)\s")  # in Korean, a count that only does something is that of some papers
MAX_WORDS_BEFORE = 24  # characters before a count that tell what it counts


def contradictions(content: IssueContent) -> Iterator[str]:
    """What the post says about the number of its papers that differs from the number found."""
    found = len(content.papers)
    for place, stated in _stated(content):
        if stated != found:
            yield f"{place} says {stated} papers, but {found} were found"


def _stated(content: IssueContent) -> Iterator[tuple[str, int]]:
    title = _TITLE_COUNT.search(content.title.partition("]")[2] or content.title)
    if title:
        yield "the title", int(title[1] or title[2])
    for block in content.overview[:3]:  # a post says in its first sentences what it brings
        total = _total_in(block.text)
        if total:
            yield "the overview", total
            break
    lines = sum(block.type == "li" and block.depth == 0 for block in content.summary)
    if lines > 1:
        yield "the list of one line per paper", lines


def _total_in(text: str) -> int:
    """The number of all papers that a text states, or 0. A count of some of them does not count."""
    for count in _COUNT.finditer(text):
        before = text[max(0, count.start() - MAX_WORDS_BEFORE) : count.start()]
        if _ALL.search(before) and not _SUBJECT.match(text[count.end() :]):
            return int(count[1])
    return 0
