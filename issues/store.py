"""The store of issues: applies parsed posts, holds and releases them, and finds them again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database import lock
from issues.diff import NO_CHANGES, Changes, compare
from issues.feed import Post
from issues.models import Feed, Issue, Paper, Revision
from issues.parse.post import IssueContent, PaperContent, parse
from issues.parse.text import to_json
from issues.parse.titles import title_key
from issues.serialize import changes_to_json, content_of, content_of_paper, content_to_json, paper_to_json


class StoreError(Exception):
    """What was asked of the store cannot be done; the message says why."""


@dataclass(frozen=True)
class Applied:
    """What one post did to the store; `changes` is empty unless an edit was taken over."""

    issue: Issue
    outcome: Literal["new", "changed", "unchanged", "held"]
    changes: Changes = NO_CHANGES
    problems: tuple[str, ...] = ()


def apply(session: Session, post: Post, now: datetime) -> Applied:
    """Take over one weekly post: store it, store its edit as a revision, or hold it.

    A state that fails the checks of a weekly post is kept as a held revision, and whatever was in
    force before stays in force. Does not commit.

    Raises:
        ValueError: the post's title is no weekly post's.
    """
    content = parse(post.title, post.html, post.url)
    issue = session.scalar(select(Issue).where(Issue.topic_id == post.topic_id))
    latest = issue.revisions[-1] if issue else None
    if issue and latest and _is_same(latest, post, content):
        issue.url = post.url
        return Applied(
            issue, "held" if latest.number == issue.held_revision else "unchanged", problems=content.problems
        )
    if issue is None:
        issue = _new_issue(session, post, content, now)
    revision = _add_revision(session, issue, post, content, now)
    if content.problems:
        issue.held_revision = revision.number
        return Applied(issue, "held", problems=content.problems)
    if issue.revision == 0:
        _put_in_force(session, issue, revision, now)
        issue.changed_at = now
        return Applied(issue, "new")
    changes = _put_in_force(session, issue, revision, now)
    if changes:
        issue.changed_at = now
    return Applied(issue, "changed" if changes else "unchanged", changes)


def release(session: Session, issue: Issue, now: datetime) -> None:
    """Put the held revision of an issue in force, whatever its problems.

    Raises:
        StoreError: nothing of the issue is held, or it holds no paper.
    """
    session.flush()
    lock(session, "ingest")
    session.refresh(issue)
    if issue.held_revision is None:
        raise StoreError(f"issue {issue.week_start} is not held")
    revision = _revision(issue, issue.held_revision)
    if not revision.content["papers"]:
        raise StoreError(
            f"issue {issue.week_start} has no paper that could go out; wait for an edit of the post"
        )
    revision.released_at = now
    _put_in_force(session, issue, revision, now)


def _is_same(latest: Revision, post: Post, content: IssueContent) -> bool:
    """Whether the post is in the state seen last, emoji sets and reply counts aside.

    What was held for problems that this version of the parser no longer has is not the same.
    """
    stored = content_of(latest)
    if stored.problems != content.problems:
        return False
    return (latest.title, latest.raw_html) == (post.title, post.html) or not compare(stored, content)


def _new_issue(session: Session, post: Post, content: IssueContent, now: datetime) -> Issue:
    issue = Issue(
        topic_id=post.topic_id,
        title=content.title,
        url=post.url,
        week_start=content.week.start,
        week_end=content.week.end,
        overview=[],
        summary=[],
        published_at=post.published_at or now,
        first_seen_at=now,
        changed_at=now,
        revision=0,
    )
    session.add(issue)
    session.flush()
    return issue


def _add_revision(
    session: Session, issue: Issue, post: Post, content: IssueContent, now: datetime
) -> Revision:
    revision = Revision(
        number=len(issue.revisions) + 1,
        title=post.title,
        raw_html=post.html,
        content=content_to_json(content),
        changes={},
        problems=list(content.problems),
        seen_at=now,
    )
    issue.url = post.url
    issue.revisions.append(revision)
    session.flush()
    return revision


def _put_in_force(session: Session, issue: Issue, revision: Revision, now: datetime) -> Changes:
    """Make a revision the issue's state, paper by paper; new papers join the order of arrival."""
    content = content_of(revision)
    old = content_of(_revision(issue, issue.revision)) if issue.revision else replace(content, papers=())
    changes = compare(old, content)
    lock(session, "papers")
    number = session.scalar(select(func.max(Paper.number))) or 0
    in_force = [paper for paper in issue.papers if paper.withdrawn_at is None]
    touched = {change.paper for change in (*changes.corrected, *changes.retitled) if change.paper}
    kept = {in_force[place].id for place in changes.pairs if place is not None}
    for paper in in_force:
        paper.withdrawn_at = None if paper.id in kept else now
    gone = {_name(content_of_paper(paper)): paper for paper in issue.papers if paper.withdrawn_at}
    for position, (place, parsed) in enumerate(zip(changes.pairs, content.papers, strict=True)):
        row = in_force[place] if place is not None else gone.pop(_name(parsed), None)
        if row is None:
            number += 1
            row = Paper(number=number, late=issue.revision > 0)
            issue.papers.append(row)
        elif (parsed.title_en or parsed.title_ko) in touched:
            row.corrected_at = now
        row.withdrawn_at, row.position, row.content = None, position, paper_to_json(parsed)
    revision.changes = changes_to_json(changes) if issue.revision else {}
    issue.title, issue.week_start, issue.week_end = content.title, content.week.start, content.week.end
    issue.overview, issue.summary = to_json(content.overview), to_json(content.summary)
    issue.revision, issue.held_revision = revision.number, None
    session.flush()
    session.refresh(issue)
    return changes


def _name(paper: PaperContent) -> tuple[str, str]:
    """What a withdrawn paper is found again by: two papers can share a link."""
    return paper.key, title_key(paper.title_en or paper.title_ko)


def _revision(issue: Issue, number: int) -> Revision:
    return next(revision for revision in issue.revisions if revision.number == number)


# --- reading ------------------------------------------------------------------------


def find(session: Session, name: str) -> Issue:
    """The issue of a first day of the week (`2025-07-28`) or of a topic id.

    Raises:
        StoreError: there is none, or the name is neither.
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
    """The issue in force of the newest week.

    Raises:
        StoreError: there is none.
    """
    issue = next((issue for issue in every(session) if issue.revision), None)
    if issue is None:
        raise StoreError("no issue is in force yet; `paperboy ingest` reads the feed")
    return issue


def every(session: Session) -> Sequence[Issue]:
    """All issues, the newest week first."""
    return session.scalars(select(Issue).order_by(Issue.week_start.desc(), Issue.id.desc())).all()


def held_since(session: Session, since: datetime) -> Sequence[Issue]:
    """The issues whose newest state is held and was seen after `since`."""
    is_held = (Revision.issue_id == Issue.id) & (Revision.number == Issue.held_revision)
    rows = select(Issue).join(Revision, is_held).where(Revision.seen_at > since)
    return session.scalars(rows.order_by(Issue.id)).all()


def count_held(session: Session) -> int:
    """How many issues have a newest state that is held."""
    return session.scalar(select(func.count(Issue.held_revision))) or 0


def newest_publication(session: Session) -> datetime | None:
    """When the newest post that could be an issue was published; None without any."""
    return session.scalar(select(func.max(Issue.published_at)))


def feed_read_at(session: Session) -> datetime | None:
    """When a feed last gave a good answer, if only that nothing has changed."""
    return session.scalar(select(func.max(Feed.fetched_at)))


def is_settled(issue: Issue, now: datetime, settle: timedelta) -> bool:
    """Whether the issue has been unchanged long enough to go out."""
    return issue.changed_at + settle <= now


def problems_of(issue: Issue) -> list[str]:
    """Why the issue's newest state is held; empty when it is not."""
    return list(_revision(issue, issue.held_revision).problems) if issue.held_revision else []


def shown_content(issue: Issue) -> IssueContent:
    """The issue's state in force, or the held one while it has no other."""
    return content_of(_revision(issue, issue.revision or issue.held_revision or 1))


def changes_of(issue: Issue, revision: Revision) -> dict[str, Any]:
    """What a held revision would change of the state in force, as JSON values; of any other, what it changed."""
    if revision.number != issue.held_revision or not issue.revision:
        return revision.changes
    return changes_to_json(compare(content_of(_revision(issue, issue.revision)), content_of(revision)))
