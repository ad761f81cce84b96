"""Search over the titles and texts of papers in both languages: by words, year and the forum's tags.

A folded text of each paper is searched with LIKE. It finds Korean words of two letters, which an index of trigrams
would miss, and reads five years of issues in less than a tenth of a second.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Select, String, cast, select
from sqlalchemy.orm import Session

from core.languages import TextLanguage
from issues.models import Issue, Paper
from issues.parse.content import PaperContent
from issues.recognition import TAG

MAX_QUERY_CHARACTERS = 100
MAX_WORDS = 8
GENERAL_TAGS = {TAG, "paper", "papers"}  # which say nothing about the topic of an issue


@dataclass(frozen=True)
class SearchQuery:
    """What is looked for: words that must all be in a paper, and perhaps a year and a tag of its issue."""

    words: tuple[str, ...] = ()
    year: int | None = None
    tag: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is looked for. Then nothing is found."""
        return not (self.words or self.year or self.tag)


def parse_query(text: str, year: int | None = None, tag: str = "") -> SearchQuery:
    """The query of what somebody typed."""
    words = dict.fromkeys(fold(text[:MAX_QUERY_CHARACTERS]).split())
    return SearchQuery(tuple(words)[:MAX_WORDS], year, tag)


def fold(text: str) -> str:
    """A text without differences of case, width and spaces, as it is searched."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def search_text(paper: PaperContent) -> str:
    """All texts of a paper, folded."""
    return fold(" ".join(_texts_of(paper)))


def _texts_of(paper: PaperContent) -> Iterator[str]:
    for language in TextLanguage:
        texts = paper.texts_in(language)
        yield from (texts.title, texts.gist)
        yield from (block.text for block in (*texts.intro, *texts.abstract))
    for section in paper.sections:
        yield section.heading
        yield from (block.text for language in TextLanguage for block in section.blocks_in(language))
    yield from (block.text for block in paper.notes)
    yield paper.url  # so that a paper is found by its arXiv number, too


def find_papers(
    session: Session, query: SearchQuery, *, limit: int, offset: int = 0
) -> tuple[int, Sequence[Paper]]:
    """How many papers in force match, and some of them: of the newest weeks first, in the order of their posts.

    All texts are read once for both.
    """
    if query.is_empty:
        return 0, []
    newest_first = (Issue.week_start.desc(), Issue.id.desc(), Paper.position)
    ids = session.scalars(_matching(query).with_only_columns(Paper.id).order_by(*newest_first)).all()
    chosen = list(ids[offset : offset + limit])
    rows = {row.id: row for row in session.scalars(select(Paper).where(Paper.id.in_(chosen)))}
    return len(ids), [rows[id_] for id_ in chosen]


def papers_at(session: Session, part: str) -> Sequence[Paper]:
    """The papers in force of which a text or the address contains a part, such as an arXiv number; the first ones first."""
    return session.scalars(_matching(SearchQuery((fold(part),))).order_by(Paper.number)).all()


def _matching(query: SearchQuery) -> Select[Paper]:
    rows = select(Paper).join(Issue).where(Issue.revision > 0, Paper.withdrawn_at.is_(None))
    for word in query.words:
        rows = rows.where(Paper.search_text.contains(word, autoescape=True))
    if query.year:
        rows = rows.where(Issue.week_end.between(date(query.year, 1, 1), date(query.year, 12, 31)))
    if query.tag:
        rows = rows.where(cast(Issue.tags, String).contains(f'"{query.tag}"', autoescape=True))
    return rows


def years(session: Session) -> list[int]:
    """The years of which there are issues, the newest first."""
    ends = session.scalars(select(Issue.week_end).where(Issue.revision > 0).distinct())
    return sorted({end.year for end in ends}, reverse=True)


def topics(session: Session, count: int) -> list[str]:
    """The forum's tags that name a topic, the most frequent first."""
    found = Counter[str]()
    for tags in session.scalars(select(Issue.tags).where(Issue.revision > 0)):
        found.update(tag for tag in tags if tag not in GENERAL_TAGS)
    return [tag for tag, _ in found.most_common(count)]
