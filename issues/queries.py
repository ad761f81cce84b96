"""Questions to the store of issues: find one, list them, which papers may go out. Nothing here writes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, defer

from issues.arrivals import Arrival, IssueFacts
from issues.diff import diff
from issues.gist import leftover_summary
from issues.models import Feed, Issue, Paper, Revision
from issues.parse.content import IssueContent, PaperContent
from issues.parse.text import from_json
from issues.parse.weeks import Week
from issues.posts import Post
from issues.recognition import recognize
from issues.serialize import diff_to_json, paper_content, revision_content
from issues.store import StoreError, revision_of

# --- issues -------------------------------------------------------------------------


def find(session: Session, name: str) -> Issue:
    """The issue with a first day of the week (`2025-07-28`) or a topic id.

    Raises:
        StoreError: there is no such issue, or the name is neither a day nor an id.
    """
    try:
        column = (
            Issue.topic_id == int(name)
            if name.isdecimal() and len(name) <= 18
            else Issue.week_start == date.fromisoformat(name)
        )
    except ValueError:
        raise StoreError(f"{name!r} is neither a day like 2025-07-28 nor a topic id") from None
    issue = session.scalar(select(Issue).where(column).order_by(Issue.id.desc()))
    if issue is None:
        raise StoreError(f"there is no issue {name}; `paperboy issues list` shows those stored")
    return issue


def newest(session: Session) -> Issue:
    """The issue in force with the newest week.

    Raises:
        StoreError: no issue is in force.
    """
    issue = next((issue for issue in all_issues(session) if issue.revision), None)
    if issue is None:
        raise StoreError("no issue is in force yet; `paperboy ingest` reads the feed")
    return issue


def published_issues(session: Session, count: int | None = None) -> Sequence[Issue]:
    """The issues on the pages, the newest week first, without their texts; at most `count`."""
    rows = select(Issue).where(Issue.revision > 0).order_by(Issue.week_start.desc(), Issue.id.desc())
    light = rows.options(defer(Issue.overview), defer(Issue.summary), defer(Issue.closing))
    return session.scalars(light.limit(count)).all()


def all_issues(session: Session) -> Sequence[Issue]:
    """All issues, the newest week first."""
    return session.scalars(select(Issue).order_by(Issue.week_start.desc(), Issue.id.desc())).all()


def held_since(session: Session, since: datetime) -> Sequence[Issue]:
    """The issues whose newest revision is held and was first seen after `since`."""
    is_held = (Revision.issue_id == Issue.id) & (Revision.number == Issue.held_revision)
    rows = select(Issue).join(Revision, is_held).where(Revision.seen_at > since)
    return session.scalars(rows.order_by(Issue.id)).all()


def count_held(session: Session) -> int:
    """How many issues have a newest revision that is held."""
    return session.scalar(select(func.count(Issue.held_revision))) or 0


def newest_publication(session: Session) -> datetime | None:
    """When the newest weekly post was published, or None when there is none."""
    return session.scalar(select(func.max(Issue.published_at)))


def feed_read_at(session: Session) -> datetime | None:
    """When a feed last gave a good answer, even if the answer was that nothing had changed."""
    is_topic = Feed.url.like("%/t/%.json%")
    return session.scalar(select(func.max(Feed.fetched_at)).where(~is_topic))


# --- one issue ----------------------------------------------------------------------


def is_quiet(issue: Issue, now: datetime, quiet_period: timedelta) -> bool:
    """Whether the issue has been unchanged for long enough to go out."""
    return issue.changed_at + quiet_period <= now


def hold_reasons(issue: Issue) -> list[str]:
    """Why the issue's newest revision is held, or empty when it is not held."""
    return list(revision_of(issue, issue.held_revision).problems) if issue.held_revision else []


def last_post(issue: Issue) -> Post:
    """The post as its newest revision has it."""
    last = issue.revisions[-1]
    return Post(issue.topic_id, last.title, issue.url, last.raw_html, issue.published_at, author=issue.author)


def week_problem(issue: Issue) -> str:
    """Why the week of the newest revision is not known, or empty if it is: an operator must say it then."""
    week = Week(issue.week_start, issue.week_end)
    found = recognize(
        last_post(issue), issue.published_at, stored_week=week, accepted_week=issue.accepted_week
    )
    return found.problem if found else ""


def shown_content(issue: Issue) -> IssueContent:
    """The content in force, or the held content of an issue that has never been in force."""
    return revision_content(revision_of(issue, issue.revision or issue.held_revision or 1))


def changes_of(issue: Issue, revision: Revision) -> dict[str, Any]:
    """What a revision changed, as JSON values; for a held revision, what it would change."""
    if revision.number != issue.held_revision or not issue.revision:
        return revision.changes
    in_force = revision_content(revision_of(issue, issue.revision))
    return diff_to_json(diff(in_force, revision_content(revision)))


# --- papers -------------------------------------------------------------------------


def arrivals_after(
    session: Session, now: datetime, quiet_period: timedelta, after: int = 0
) -> tuple[list[Arrival], bool]:
    """The papers that arrived after `after` and may go out, and whether newer ones are not quiet yet.

    The list ends before the first paper of an issue that is not quiet, so that no cursor passes that paper.
    """
    facts: dict[int, IssueFacts] = {}
    ready: list[Arrival] = []
    for row in session.scalars(_unread(after)).all():
        if not is_quiet(row.issue, now, quiet_period):
            return ready, True
        issue = facts.setdefault(row.issue_id, _facts(row.issue))
        ready.append(_arrival(row, issue))
    return ready, False


def _unread(after: int, until: int | None = None) -> Select[Paper]:
    """The papers that count as unread for a cursor, in their order of arrival."""
    rows = select(Paper).where(Paper.arrival_order > after, Paper.withdrawn_at.is_(None), ~Paper.archived)
    if until is not None:
        rows = rows.where(Paper.arrival_order <= until)
    return rows.order_by(Paper.arrival_order)


def numbers_between(session: Session, after: int, until: int) -> list[int]:
    """The numbers of the papers that a cursor passes on its way from `after` to `until`, in order."""
    return [row.number for row in session.scalars(_unread(after, until))]


class PaperTitle(NamedTuple):
    """A paper in a list: its issue, its number for ever, and its titles, of which one may be empty."""

    topic_id: int
    number: int
    english: str
    korean: str
    changed_at: datetime


def titles_by_topic(session: Session) -> dict[int, list[PaperTitle]]:
    """The titles of the papers of each published issue, by its topic."""
    found: dict[int, list[PaperTitle]] = {}
    for title in paper_titles(session):
        found.setdefault(title.topic_id, []).append(title)
    return found


def paper_titles(session: Session) -> list[PaperTitle]:
    """The titles of all papers in published issues, the newest week first. Their texts are not read."""
    rows = (
        select(Issue.topic_id, Paper.number, Paper.title_en, Paper.title_ko, Issue.changed_at)
        .join(Issue)
        .where(Issue.revision > 0, Paper.withdrawn_at.is_(None))
        .order_by(Issue.week_start.desc(), Issue.id.desc(), Paper.position)
    )
    return [PaperTitle(*row) for row in session.execute(rows)]


def papers_in_issue(issue: Issue) -> list[Arrival]:
    """All papers in force of one issue, in the order of the post."""
    facts = _facts(issue)
    return [_arrival(row, facts) for row in issue.papers if row.withdrawn_at is None]


def texts_at(issue: Issue, moment: datetime) -> dict[int, PaperContent]:
    """What the papers in force said at a moment, by their numbers. A paper that came later is not in the result."""
    released = [
        revision
        for revision in issue.revisions
        if revision.number <= issue.revision
        and (not revision.problems or revision.released_at)
        and (revision.released_at or revision.seen_at) <= moment
    ]
    if not released:
        return {}
    old = revision_content(released[-1])
    rows = [row for row in issue.papers if row.withdrawn_at is None]
    pairs = diff(old, replace(old, papers=tuple(paper_content(row) for row in rows))).pairs
    return {
        row.number: old.papers[index] for row, index in zip(rows, pairs, strict=True) if index is not None
    }


def _arrival(row: Paper, facts: IssueFacts) -> Arrival:
    return Arrival(
        number=row.number,
        arrival_order=row.arrival_order,
        position=row.position + 1,
        issue=facts,
        paper=paper_content(row),
        late=row.late,
        corrected=row.corrected_at is not None,
        restored=row.restored_at is not None,
    )


def _facts(issue: Issue) -> IssueFacts:
    in_force = [row for row in issue.papers if row.withdrawn_at is None]
    summary = from_json(issue.summary)
    return IssueFacts(
        topic_id=issue.topic_id,
        week=Week(issue.week_start, issue.week_end),
        url=issue.url,
        overview=from_json(issue.overview),
        summary=leftover_summary(summary, [paper_content(row) for row in in_force]) if summary else (),
        closing=from_json(issue.closing),
        note_ko=issue.note_ko,
        note_en=issue.note_en,
        first_arrival=min(row.arrival_order for row in issue.papers),
        papers=len(in_force),
    )
