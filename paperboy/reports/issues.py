"""Issues: taken in, looked at, released."""

from datetime import UTC, datetime
from typing import Any

from issues import store
from issues.models import Issue
from issues.parse.text import Block
from mailings import intake as ingesting
from mailings.intake import IngestReport
from paperboy.cli.installation import opened


def ingest(feed: str | None, topics: list[str], now: datetime | None) -> IngestReport:
    """Read a feed, or the topics named, or both when both are given."""
    settings, database = opened()
    return ingesting.ingest(
        database.sessions,
        feed_url=feed or (None if topics else settings.feed_url),
        topic_urls=topics,
        allowed_hosts=settings.allowed_hosts,
        now=now or datetime.now(UTC),
    )


def list_issues() -> list[dict[str, Any]]:
    """All issues in brief."""
    _, database = opened()
    with database.sessions() as session:
        return [brief(issue) for issue in store.every(session)]


def brief(issue: Issue) -> dict[str, Any]:
    """An issue in a few words and numbers."""
    state = "held" if issue.revision == 0 else "in force, an edit held" if issue.held_revision else "in force"
    return {
        "topic_id": issue.topic_id,
        "week_start": issue.week_start.isoformat(),
        "week_end": issue.week_end.isoformat(),
        "title": issue.title,
        "state": state,
        "papers": sum(paper.withdrawn_at is None for paper in issue.papers),
    }


def show_issue(name: str) -> dict[str, Any]:
    """One issue in full."""
    _, database = opened()
    with database.sessions() as session:
        issue = store.find(session, name)
        content = store.shown_content(issue)
        papers = [
            {
                "title_ko": paper.title_ko,
                "title_en": paper.title_en,
                "intro_ko": _texts(paper.intro_ko),
                "intro_en": _texts(paper.intro_en),
                "abstract_ko": _texts(paper.abstract_ko),
                "abstract_en": _texts(paper.abstract_en),
                "url": paper.url,
                "links": [link.url for link in paper.links],
                "notes": [block.text for block in paper.notes],
            }
            for paper in content.papers
        ]
        return brief(issue) | {
            "url": issue.url,
            "revision": issue.revision,
            "held": store.problems_of(issue),
            "overview": [block.text for block in content.overview],
            "summary": [block.text for block in content.summary],
            "papers": papers,
        }


def _texts(blocks: tuple[Block, ...]) -> list[dict[str, str]]:
    return [{"type": block.type, "text": block.text} for block in blocks]


def release_issue(name: str, now: datetime | None) -> str:
    """Put a held issue in force and return its title."""
    _, database = opened()
    with database.sessions.begin() as session:
        issue = store.find(session, name)
        store.release(session, issue, now or datetime.now(UTC))
        return issue.title
