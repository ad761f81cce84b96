"""What a digest holds: which papers, and of each paper which parts in which language. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from math import ceil
from typing import Literal

from issues.post import Link, PaperContent, Week
from issues.store import Arrival, IssueFacts
from issues.text import Block, has_hangul

MAX_PAPERS = 40  # more than a mail can show with their introductions; the rest comes next time
MAX_LINKS = 20  # of one paper: with addresses of this length one paper always fits a mail
MAX_LINK_ADDRESS = 500

Language = Literal["ko", "en"]


@dataclass(frozen=True)
class Part:
    """One text of a paper or an issue in one language; empty when it exists in another only.

    `opens`: its first block is what a reader sees of the paper before anything else.
    """

    name: Literal["overview", "summary", "intro", "abstract", "notes"]
    language: Language
    blocks: tuple[Block, ...]
    opens: bool = False


@dataclass(frozen=True)
class PaperUnit:
    """One paper as a mail shows it; titles it has in no shown language are empty."""

    number: int
    position: int
    title: str
    subtitle: str
    title_language: Language
    url: str
    links: tuple[Link, ...]
    parts: tuple[Part, ...]
    late: bool


@dataclass(frozen=True)
class IssueUnit:
    """An issue's share of a mail: its papers and, with the first of them, its overview."""

    topic_id: int
    week: Week
    url: str
    total: int
    parts: tuple[Part, ...]
    papers: tuple[PaperUnit, ...]


@dataclass(frozen=True)
class Edition:
    """A digest's content, the same for all who stand at one place and read one language.

    `remaining` counts unread papers that wait for the next mail.
    """

    slot: str
    language: str
    frequency: str
    issues: tuple[IssueUnit, ...]
    remaining: int

    @property
    def papers(self) -> tuple[PaperUnit, ...]:
        """All papers, in order."""
        return tuple(paper for issue in self.issues for paper in issue.papers)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All texts, in reading order."""
        return tuple(
            part
            for issue in self.issues
            for parts in (issue.parts, *(paper.parts for paper in issue.papers))
            for part in parts
        )


def slot_of(frequency: str, local: datetime) -> str:
    """The slot a digest belongs to: `weekly:2025-W32` or `daily:2025-08-05` (local time)."""
    if frequency == "weekly":
        year, week, _ = local.isocalendar()
        return f"weekly:{year}-W{week:02}"
    return f"daily:{local.date().isoformat()}"


def portion(unread: int, frequency: str, daily_papers: int) -> int:
    """How many of the unread papers the next mail brings; `daily_papers` 0 means all at once."""
    if frequency == "weekly" or daily_papers == 0:
        return min(unread, MAX_PAPERS)
    return min(unread, max(daily_papers, ceil(unread / 5)), MAX_PAPERS)


def choose(
    arrived: Sequence[Arrival],
    cursor: int,
    *,
    slot: str,
    language: str,
    frequency: str,
    daily_papers: int,
    most: int = MAX_PAPERS,
) -> Edition | None:
    """The next edition for readers at `cursor`, of at most `most` papers; None when nothing is unread."""
    unread = [arrival for arrival in arrived if arrival.number > cursor]
    chosen = unread[: min(portion(len(unread), frequency, daily_papers), most)]
    if not chosen:
        return None
    return compose(
        chosen, cursor, slot=slot, language=language, frequency=frequency, remaining=len(unread) - len(chosen)
    )


def compose(
    chosen: Sequence[Arrival], cursor: int, *, slot: str, language: str, frequency: str, remaining: int = 0
) -> Edition:
    """An edition of exactly these papers; overviews of issues begun before `cursor` are left out."""
    issues: list[IssueUnit] = []
    for facts, group in groupby(chosen, key=lambda arrival: arrival.issue):
        # An issue that got papers later can come twice, with another one between.
        is_begun = facts.first_number <= cursor or any(unit.topic_id == facts.topic_id for unit in issues)
        parts = () if is_begun else _overview(facts, language)
        papers = tuple(_paper_unit(arrival, cursor, language) for arrival in group)
        issues.append(IssueUnit(facts.topic_id, facts.week, facts.url, facts.papers, parts, papers))
    return Edition(slot, language, frequency, tuple(issues), remaining)


def _overview(facts: IssueFacts, language: str) -> tuple[Part, ...]:
    """The overview and the summary; the posts have both in Korean only."""
    if language == "en":
        return (Part("overview", "en", ()),) if facts.overview else ()
    overview = (Part("overview", "ko", facts.overview),) if facts.overview else ()
    summary = (Part("summary", "ko", facts.summary),) if facts.summary else ()
    return overview + summary


def _paper_unit(arrival: Arrival, cursor: int, language: str) -> PaperUnit:
    paper = arrival.paper
    title, subtitle = (paper.title_en, "") if language == "en" else (paper.title_ko, paper.title_en)
    title_language: Language = "en" if language == "en" or not title else "ko"
    return PaperUnit(
        number=arrival.number,
        position=arrival.position,
        title=title or subtitle,
        subtitle=subtitle if title else "",
        title_language=title_language,
        url=paper.url,
        links=tuple(link for link in paper.links if len(link.url) <= MAX_LINK_ADDRESS)[:MAX_LINKS],
        parts=_parts(paper, language),
        late=arrival.late and arrival.issue.first_number <= cursor,
    )


def _parts(paper: PaperContent, language: str) -> tuple[Part, ...]:
    """A paper's texts for a language, most important first.

    An English edition of a paper without an English introduction has an empty one, and then the
    abstract in its place, which opens the paper instead.
    """
    texts = {
        ("intro", "ko"): paper.intro_ko,
        ("intro", "en"): paper.intro_en,
        ("abstract", "ko"): paper.abstract_ko,
        ("abstract", "en"): paper.abstract_en,
    }
    parts: list[Part] = []
    for name in ("intro", "abstract"):
        for spoken in ("ko", "en"):
            blocks = texts[name, spoken]
            only_elsewhere = (
                not blocks and language == spoken and any(texts[name, other] for other in ("ko", "en"))
            )
            if (language in {spoken, "both"} and blocks) or only_elsewhere:
                parts.append(Part(name, spoken, blocks))
    languages: tuple[Language, ...] = ("ko", "en")
    for spoken in languages:
        notes = tuple(block for block in paper.notes if has_hangul(block.text) == (spoken == "ko"))
        if language in {spoken, "both"} and notes:
            parts.append(Part("notes", spoken, notes))
    opener = next((part.name for part in parts if part.blocks), None)
    return tuple(replace(part, opens=part.name == opener) for part in parts)


def subject_week(issues: Sequence[IssueUnit]) -> tuple[date, date]:
    """The days that an edition's issues cover together."""
    return min(issue.week.start for issue in issues), max(issue.week.end for issue in issues)
