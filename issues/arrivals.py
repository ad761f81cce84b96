"""Papers in the order in which they arrived, each with what a mail says of its issue."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from issues.models import Issue, Paper
from issues.parse.post import PaperContent
from issues.parse.text import Block, from_json
from issues.parse.titles import Week
from issues.serialize import content_of_paper
from issues.store import is_settled


@dataclass(frozen=True)
class IssueFacts:
    """What a digest says about an issue; `first_number` is the lowest of its papers' numbers."""

    topic_id: int
    week: Week
    url: str
    overview: tuple[Block, ...]
    summary: tuple[Block, ...]
    first_number: int
    papers: int


@dataclass(frozen=True)
class Arrival:
    """A paper at its place in the order of arrival; `position` counts from 1 within its issue.

    `late`: an edit added it. `corrected`: an edit changed it.
    """

    number: int
    position: int
    issue: IssueFacts
    paper: PaperContent
    late: bool = False
    corrected: bool = False


def arrivals(
    session: Session, now: datetime, settle: timedelta, after: int = 0
) -> tuple[list[Arrival], bool]:
    """The papers numbered above `after` that may go out, in order of arrival, and whether newer ones
    must still settle.

    Ends before the first paper of an issue that has not settled, so that no cursor passes it.
    """
    facts: dict[int, IssueFacts] = {}
    ready: list[Arrival] = []
    for row in session.scalars(select(Paper).where(Paper.number > after).order_by(Paper.number)).all():
        if row.withdrawn_at:
            continue
        if not is_settled(row.issue, now, settle):
            return ready, True
        issue = facts.setdefault(row.issue_id, _facts(row.issue))
        ready.append(_arrival(row, issue))
    return ready, False


def whole_issue(issue: Issue) -> list[Arrival]:
    """All papers in force of one issue, in its own order."""
    facts = _facts(issue)
    return [_arrival(row, facts) for row in issue.papers if row.withdrawn_at is None]


def _arrival(row: Paper, facts: IssueFacts) -> Arrival:
    return Arrival(
        number=row.number,
        position=row.position + 1,
        issue=facts,
        paper=content_of_paper(row),
        late=row.late,
        corrected=row.corrected_at is not None,
    )


def _facts(issue: Issue) -> IssueFacts:
    return IssueFacts(
        topic_id=issue.topic_id,
        week=Week(issue.week_start, issue.week_end),
        url=issue.url,
        overview=from_json(issue.overview),
        summary=from_json(issue.summary),
        first_number=min(row.number for row in issue.papers),
        papers=sum(row.withdrawn_at is None for row in issue.papers),
    )
