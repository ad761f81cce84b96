"""Stores issues: applies parsed posts as revisions, holds them, and releases what is held."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database import advisory_lock
from core.errors import PaperboyError
from issues.diff import NO_DIFF, IssueDiff, diff
from issues.models import Issue, Paper, Revision
from issues.parse.content import IssueContent, PaperContent
from issues.parse.post import parse
from issues.parse.text import to_json
from issues.parse.titles import title_key
from issues.posts import Post
from issues.serialize import diff_to_json, issue_to_json, paper_content, paper_to_json, revision_content


class StoreError(PaperboyError):
    """The store cannot do what was asked. The message says why."""


class Outcome(StrEnum):
    """What a post did to the store."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    HELD = "held"


@dataclass(frozen=True)
class ApplyResult:
    """What one post did to the store. `changes` is empty unless an edit was put in force."""

    issue: Issue
    outcome: Outcome
    changes: IssueDiff = NO_DIFF
    problems: tuple[str, ...] = ()


def apply(session: Session, post: Post, now: datetime) -> ApplyResult:
    """Take one weekly post into the store: as a new issue, as a new revision of one, or as a held revision.

    A post that fails the checks of a weekly post becomes a held revision, and the revision that was in force
    stays in force. Does not commit.

    Raises:
        ValueError: the post's title is not a weekly post's.
    """
    content = parse(post.title, post.html, post.url)
    issue = session.scalar(select(Issue).where(Issue.topic_id == post.topic_id))
    last = issue.revisions[-1] if issue else None
    if issue and last and _is_same(last, post, content):
        issue.url = post.url
        is_held = last.number == issue.held_revision
        return ApplyResult(issue, Outcome.HELD if is_held else Outcome.UNCHANGED, problems=content.problems)
    if issue is None:
        issue = _new_issue(session, post, content, now)
    revision = _add_revision(session, issue, post, content, now)
    if content.problems:
        issue.held_revision = revision.number
        return ApplyResult(issue, Outcome.HELD, problems=content.problems)
    is_new = issue.revision == 0
    changes = _put_in_force(session, issue, revision, now)
    if is_new:
        issue.changed_at = now
        return ApplyResult(issue, Outcome.NEW)
    if changes:
        issue.changed_at = now
    return ApplyResult(issue, Outcome.CHANGED if changes else Outcome.UNCHANGED, changes)


def release(session: Session, issue: Issue, now: datetime) -> None:
    """Put the held revision of an issue in force, whatever its problems are.

    Raises:
        StoreError: the issue is not held, or its held revision has no paper.
    """
    session.flush()
    advisory_lock(session, "ingest")
    session.refresh(issue)
    if issue.held_revision is None:
        raise StoreError(f"issue {issue.week_start} is not held")
    revision = revision_of(issue, issue.held_revision)
    if not revision.content["papers"]:
        raise StoreError(
            f"issue {issue.week_start} has no paper that could go out; wait for an edit of the post"
        )
    revision.released_at = now
    _put_in_force(session, issue, revision, now)


def revision_of(issue: Issue, number: int) -> Revision:
    """The issue's revision with a number."""
    return next(revision for revision in issue.revisions if revision.number == number)


def _is_same(last: Revision, post: Post, content: IssueContent) -> bool:
    """Whether the post is in the state that was seen last. Emoji sets and reply counts do not matter.

    A revision that was held for problems which the present parser does not find any more is not the same.
    """
    stored = revision_content(last)
    if stored.problems != content.problems:
        return False
    return (last.title, last.raw_html) == (post.title, post.html) or not diff(stored, content)


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
        content=issue_to_json(content),
        changes={},
        problems=list(content.problems),
        seen_at=now,
    )
    issue.url = post.url
    issue.revisions.append(revision)
    session.flush()
    return revision


def _put_in_force(session: Session, issue: Issue, revision: Revision, now: datetime) -> IssueDiff:
    """Make a revision the issue's state, paper by paper. New papers get the next numbers of arrival."""
    content = revision_content(revision)
    is_first = issue.revision == 0
    old = replace(content, papers=()) if is_first else revision_content(revision_of(issue, issue.revision))
    changes = diff(old, content)
    _apply_papers(session, issue, content, changes, now)
    revision.changes = {} if is_first else diff_to_json(changes)
    issue.title, issue.week_start, issue.week_end = content.title, content.week.start, content.week.end
    issue.overview, issue.summary = to_json(content.overview), to_json(content.summary)
    issue.revision, issue.held_revision = revision.number, None
    session.flush()
    session.refresh(issue)
    return changes


def _apply_papers(
    session: Session, issue: Issue, content: IssueContent, changes: IssueDiff, now: datetime
) -> None:
    """Bring the issue's rows of papers to `content`: kept, added, withdrawn, or restored after a withdrawal."""
    advisory_lock(session, "papers")
    number = session.scalar(select(func.max(Paper.number))) or 0
    in_force = [paper for paper in issue.papers if paper.withdrawn_at is None]
    kept = {in_force[index].id for index in changes.pairs if index is not None}
    for paper in in_force:
        paper.withdrawn_at = None if paper.id in kept else now
    withdrawn = {_identity(paper_content(paper)): paper for paper in issue.papers if paper.withdrawn_at}
    for position, (index, parsed) in enumerate(zip(changes.pairs, content.papers, strict=True)):
        row = in_force[index] if index is not None else withdrawn.pop(_identity(parsed), None)
        if row is None:
            number += 1
            row = Paper(number=number, late=issue.revision > 0)
            issue.papers.append(row)
        elif position in changes.touched:
            row.corrected_at = now
        row.withdrawn_at, row.position, row.content = None, position, paper_to_json(parsed)


def _identity(paper: PaperContent) -> tuple[str, str]:
    """What a withdrawn paper is recognised by. Its address alone is not enough: two papers can share one."""
    return paper.key, title_key(paper.name)
