"""How many papers a post says that it has: in its title, its overview, and its list of one line per paper."""

import re
from collections import Counter
from collections.abc import Iterator

from issues.parse.content import IssueContent

# A count of papers; the words around it say whether it is that of all papers.
_COUNT = re.compile(r"(?<![\d.,])(\d{1,2})\s?(?:편|개의\s?논문|건의\s?논문|papers?\b)")
_TITLE_COUNT = re.compile(r"(?:논문\s?|[(\[])(\d{1,2})\s?(?:편|선)|\bTop\s?(\d{1,2})\b", re.IGNORECASE)
_ALL = re.compile(
    r"(?:이번\s?주(?:의|에는|에)?\s?(?:주요\s?)?(?:선정된\s?)?논문\s?|(?:총|모두|전체)\s?|the following |these |this week's )$",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"^(?:의\s?논문)?(?:이|가|\s?가운데|\s?중)\s"
)  # in Korean, a count that only does something is that of some papers
_CHOSEN = re.compile(r"^(?:의\s?논문)?(?:을|를)?\s?(?:소개|선정|모았|정리|골랐|살펴)")
MAX_WORDS_BEFORE = 24  # characters before a count that tell what it counts


def contradictions(content: IssueContent) -> Iterator[str]:
    """What the post says about the number of its papers that differs from the number found."""
    found = len(content.papers)
    for place, stated in _stated(content, found):
        if stated != found:
            yield f"{place} says {stated} papers, but {found} were found"


def _stated(content: IssueContent, found: int) -> Iterator[tuple[str, int]]:
    title = _TITLE_COUNT.search(content.title.partition("]")[2] or content.title)
    if title:
        yield "the title", int(title[1] or title[2])
    for block in content.overview[:3]:  # a post says in its first sentences what it brings
        total = _total_in(block.text)
        if total:
            yield "the overview", total
            break
    entries = Counter(block.depth for block in content.summary if block.type == "li")
    # A list by topic has the papers one level deeper, so any level that agrees will do.
    lines = found if found in entries.values() else entries[0]
    if lines > 1:
        yield "the list of one line per paper", lines


def _total_in(text: str) -> int:
    """The number of all papers that a text states, or 0. A count of some of them does not count."""
    for count in _COUNT.finditer(text):
        before, after = text[max(0, count.start() - MAX_WORDS_BEFORE) : count.start()], text[count.end() :]
        if (_ALL.search(before) and not _SUBJECT.match(after)) or _CHOSEN.match(after):
            return int(count[1])
    return 0
