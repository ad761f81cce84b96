"""What the front page shows before anybody signs up: the latest issue's gists, when the next one comes, and how many so far."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.frequencies import Frequency
from core.languages import TextLanguage
from issues.models import Issue, Paper
from issues.parse.content import PaperContent
from issues.queries import papers_in_issue
from paperboy.web.deps import WebContext

SHOWN_PAPERS = 10


@dataclass(frozen=True)
class Facts:
    """How many issues and papers there are, and when the next weekly digest goes out, in local time."""

    issues: int
    papers: int
    next_weekly: datetime
    zone: str


@dataclass(frozen=True)
class PaperLine:
    """A paper in a list: its title and gist, each with the language that it is in."""

    position: int
    title: str
    title_language: TextLanguage
    gist: str
    gist_language: TextLanguage


@dataclass(frozen=True)
class LatestIssue:
    """An issue and its papers in lines."""

    issue: Issue
    papers: list[PaperLine]


def read_facts(session: Session, context: WebContext) -> Facts:
    """The facts at this moment."""
    papers = select(func.count()).select_from(Paper).join(Issue)
    return Facts(
        issues=session.scalar(select(func.count()).select_from(Issue).where(Issue.revision > 0)) or 0,
        papers=session.scalar(papers.where(Issue.revision > 0, Paper.withdrawn_at.is_(None))) or 0,
        next_weekly=Frequency.WEEKLY.next_digest(context.local_now),
        zone=context.settings.timezone,
    )


def latest_issue(issue: Issue, language: TextLanguage) -> LatestIssue:
    """An issue's papers in lines of a language."""
    lines = [
        _line(arrival.position, arrival.paper, language) for arrival in papers_in_issue(issue)[:SHOWN_PAPERS]
    ]
    return LatestIssue(issue, lines)


def _line(position: int, paper: PaperContent, language: TextLanguage) -> PaperLine:
    in_order = (language, language.other)
    title = next((each for each in in_order if paper.texts_in(each).title), language)
    gist = next((each for each in in_order if paper.texts_in(each).gist), language)
    return PaperLine(position, paper.texts_in(title).title, title, paper.texts_in(gist).gist, gist)
