"""What a digest holds: which papers, and of each paper which parts in which language. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from math import ceil
from typing import Literal

from issues.arrivals import Arrival, IssueFacts
from issues.parse.outline import Picture
from issues.parse.post import Link, PaperContent
from issues.parse.readable import prose
from issues.parse.text import Block, has_hangul
from issues.parse.titles import Week

MAX_PAPERS = 40  # more than a mail can show with their introductions; the rest comes next time
MAX_LINKS = 20  # of one paper: with addresses of this length one paper always fits a mail
MAX_LINK_ADDRESS = 500
MIN_PICTURE = 200  # pixels of width; what is smaller is a badge
MAX_PICTURED = 12  # papers of a mail with pictures; a larger one needs its room for texts

Language = Literal["ko", "en"]
Purpose = Literal["digest", "welcome", "copy", "correction"]
PartName = Literal["overview", "summary", "intro", "abstract", "notes"]


_EMPTY = "the issue has no paper in force; if it is held, release it first"


class EmptyIssueError(Exception):
    """There is nothing of the issue that could be mailed."""


@dataclass(frozen=True)
class Part:
    """One text of a paper or an issue in one language.

    `opens`: its first block is what a reader sees of the paper before anything else.
    """

    name: PartName
    language: Language
    blocks: tuple[Block, ...]
    opens: bool = False


@dataclass(frozen=True)
class PaperUnit:
    """One paper as a mail shows it; titles it has in no shown language are empty.

    `forum` is its place there, `elsewhere` names the texts that the mail's language lacks.
    """

    number: int
    position: int
    title: str
    subtitle: str
    title_language: Language
    forum: str
    url: str
    links: tuple[Link, ...]
    picture: Picture | None
    parts: tuple[Part, ...]
    elsewhere: tuple[PartName, ...]
    late: bool
    corrected: bool


@dataclass(frozen=True)
class IssueUnit:
    """An issue's share of a mail: its papers and, with the first of them, its overview.

    `total` counts the issue's papers; `elsewhere` names the texts that the mail's language lacks.
    """

    topic_id: int
    week: Week
    url: str
    total: int
    parts: tuple[Part, ...]
    elsewhere: tuple[PartName, ...]
    papers: tuple[PaperUnit, ...]


@dataclass(frozen=True)
class Edition:
    """A digest's content, the same for all who stand at one place and read one language.

    `remaining` counts unread papers that wait for later mails, `following` are those of the next
    one. `purpose` is `welcome` for the first mail to a new reader, and `copy` or `correction` for what an
    operator sends again.
    """

    slot: str
    language: str
    frequency: str
    issues: tuple[IssueUnit, ...]
    remaining: int
    following: tuple[PaperUnit, ...] = ()
    purpose: Purpose = "digest"

    @property
    def occasion(self) -> str:
        """What kind of digest this is: its purpose, or `late` (additions only), `weekly` or `daily`."""
        if self.purpose != "digest":
            return self.purpose
        return "late" if all(paper.late for paper in self.papers) else self.frequency

    @property
    def papers(self) -> tuple[PaperUnit, ...]:
        """All papers, in order."""
        return tuple(paper for issue in self.issues for paper in issue.papers)

    @property
    def units(self) -> tuple[tuple[Part, ...], ...]:
        """The texts of each issue's opening and of each paper, in reading order."""
        return tuple(
            parts
            for issue in self.issues
            for parts in (issue.parts, *(paper.parts for paper in issue.papers))
        )

    @property
    def parts(self) -> tuple[Part, ...]:
        """All texts, in reading order."""
        return tuple(part for unit in self.units for part in unit)


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
    purpose: Purpose = "digest",
) -> Edition | None:
    """The next edition for readers at `cursor`, of at most `most` papers; None when nothing is unread."""
    unread = [arrival for arrival in arrived if arrival.number > cursor]
    count = min(portion(len(unread), frequency, daily_papers), most)
    if not count:
        return None
    return compose(
        unread[:count],
        cursor,
        slot=slot,
        language=language,
        frequency=frequency,
        waiting=unread[count:],
        daily_papers=daily_papers,
        purpose=purpose,
    )


def compose(
    chosen: Sequence[Arrival],
    cursor: int,
    *,
    slot: str,
    language: str,
    frequency: str,
    waiting: Sequence[Arrival] = (),
    daily_papers: int = 0,
    purpose: Purpose = "digest",
) -> Edition:
    """An edition of exactly these papers, while those `waiting` come later.

    Overviews of issues begun before `cursor` are left out.
    """
    issues: list[IssueUnit] = []
    with_pictures = len(chosen) <= MAX_PICTURED
    for facts, group in groupby(chosen, key=lambda arrival: arrival.issue):
        # An issue that got papers later can come twice, with another one between.
        is_begun = facts.first_number <= cursor or any(unit.topic_id == facts.topic_id for unit in issues)
        parts, elsewhere = ((), ()) if is_begun else _front(facts, language)
        papers = tuple(_paper_unit(arrival, cursor, language, with_pictures) for arrival in group)
        issues.append(
            IssueUnit(facts.topic_id, facts.week, facts.url, facts.papers, parts, elsewhere, papers)
        )
    following = waiting[: portion(len(waiting), frequency, daily_papers)] if frequency == "daily" else ()
    return Edition(
        slot,
        language,
        frequency,
        tuple(issues),
        remaining=len(waiting),
        following=tuple(_paper_unit(arrival, cursor, language, with_pictures=False) for arrival in following),
        purpose=purpose,
    )


def copy_of(papers: Sequence[Arrival], *, slot: str, language: str, purpose: Purpose) -> Edition:
    """The edition of some papers of one issue for readers who are sent them by an operator; its overview
    comes with its first paper, and never with a correction.

    Raises:
        EmptyIssueError: there is no paper.
    """
    if not papers:
        raise EmptyIssueError(_EMPTY)
    with_overview = purpose == "copy" and papers[0].position == 1
    return compose(
        papers,
        0 if with_overview else papers[0].issue.first_number,
        slot=slot,
        language=language,
        frequency="weekly",
        purpose=purpose,
    )


def portions(
    papers: Sequence[Arrival],
    *,
    slot: str,
    language: str,
    frequency: str,
    daily_papers: int,
    purpose: Purpose = "digest",
) -> list[Edition]:
    """The editions in which an issue's papers come, one after the other; a weekly one is one.

    Raises:
        EmptyIssueError: the issue has no paper in force.
    """
    if not papers:
        raise EmptyIssueError(_EMPTY)
    editions = []
    start = 0
    while start < len(papers):
        waiting = papers[start:]
        size = portion(len(waiting), frequency, daily_papers) if frequency == "daily" else len(waiting)
        editions.append(
            compose(
                waiting[:size],
                papers[start - 1].number if start else 0,
                slot=slot,
                language=language,
                frequency=frequency,
                waiting=waiting[size:],
                daily_papers=daily_papers,
                purpose=purpose,
            )
        )
        start += size
    return editions


def _front(facts: IssueFacts, language: str) -> tuple[tuple[Part, ...], tuple[PartName, ...]]:
    """Overview and summary, which the posts have in Korean only, and those that a language lacks."""
    texts: dict[PartName, tuple[Block, ...]] = {"overview": facts.overview, "summary": facts.summary}
    parts = [Part(name, "ko", prose(blocks)) for name, blocks in texts.items()]
    there = tuple(part for part in parts if part.blocks)
    return ((), tuple(part.name for part in there)) if language == "en" else (there, ())


def _paper_unit(arrival: Arrival, cursor: int, language: str, with_pictures: bool) -> PaperUnit:
    paper = arrival.paper
    parts, elsewhere = _parts(paper, language)
    title, subtitle = (paper.title_en, "") if language == "en" else (paper.title_ko, paper.title_en)
    title_language: Language = "en" if language == "en" or not title else "ko"
    return PaperUnit(
        number=arrival.number,
        position=arrival.position,
        title=title or subtitle,
        subtitle=subtitle if title else "",
        title_language=title_language,
        forum=f"{arrival.issue.url}#{paper.anchor}" if paper.anchor else arrival.issue.url,
        url=paper.url,
        links=tuple(link for link in paper.links if len(link.url) <= MAX_LINK_ADDRESS)[:MAX_LINKS],
        picture=_picture(paper) if with_pictures else None,
        parts=parts,
        elsewhere=elsewhere,
        late=arrival.late and arrival.issue.first_number <= cursor,
        corrected=arrival.corrected,
    )


def _picture(paper: PaperContent) -> Picture | None:
    """The paper's first picture whose size is told: without it a mail jumps while it loads."""
    fit = (
        picture
        for picture in paper.pictures
        if picture.width >= MIN_PICTURE
        and picture.height >= MIN_PICTURE / 4
        and len(picture.url) <= MAX_LINK_ADDRESS
    )
    return next(fit, None)


def _parts(paper: PaperContent, language: str) -> tuple[tuple[Part, ...], tuple[PartName, ...]]:
    """A paper's texts for a language, most important first, and the names of those that it lacks.

    The first text there opens the paper: the abstract where there is no introduction.
    """
    texts: dict[tuple[PartName, Language], tuple[Block, ...]] = {
        ("intro", "ko"): paper.intro_ko,
        ("intro", "en"): paper.intro_en,
        ("abstract", "ko"): paper.abstract_ko,
        ("abstract", "en"): paper.abstract_en,
        ("notes", "ko"): tuple(block for block in paper.notes if has_hangul(block.text)),
        ("notes", "en"): tuple(block for block in paper.notes if not has_hangul(block.text)),
    }
    spoken_here = [
        Part(name, spoken, prose(blocks))
        for (name, spoken), blocks in texts.items()
        if language in {spoken, "both"}
    ]
    parts = [part for part in spoken_here if part.blocks]
    shown = {part.name for part in parts}
    elsewhere = tuple(
        dict.fromkeys(
            name for (name, _), blocks in texts.items() if blocks and name != "notes" and name not in shown
        )
    )
    opener = parts[0].name if parts else ""
    return tuple(replace(part, opens=part.name == opener) for part in parts), elsewhere


def subject_week(issues: Sequence[IssueUnit]) -> tuple[date, date]:
    """The days that an edition's issues cover together, those aside that it only adds papers to."""
    fresh = [issue for issue in issues if not all(paper.late for paper in issue.papers)] or issues
    return min(issue.week.start for issue in fresh), max(issue.week.end for issue in fresh)
