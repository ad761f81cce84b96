"""Stores issues: applies parsed posts as revisions, holds them, and releases what is held."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import PaperboyError
from core.locks import advisory_lock
from issues import paper_rows
from issues.diff import NO_DIFF, IssueDiff, diff
from issues.gist import with_gists
from issues.models import Issue, Revision
from issues.parse.content import IssueContent
from issues.parse.post import parse
from issues.parse.text import to_json
from issues.parse.weeks import Week
from issues.posts import Post
from issues.serialize import diff_to_json, issue_to_json, paper_content, revision_content


class StoreError(PaperboyError):
    """The store cannot do what was asked. The message says why."""


class Outcome(StrEnum):
    """What a post did to the store."""

    NEW = "new"
    ARCHIVED = "archived"
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


def find_topic(session: Session, topic_id: int) -> Issue | None:
    """The issue of a topic."""
    return session.scalar(select(Issue).where(Issue.topic_id == topic_id))


def read_post(post: Post, week: Week | None = None) -> IssueContent:
    """The parsed content of a post, with the gists of its papers. `week` replaces what its title says.

    Raises:
        ValueError: the title names no week, and none is given.
    """
    published = post.published_at.date() if post.published_at else None
    return with_gists(parse(post.title, post.html, post.url, published=published, week=week))


def apply(
    session: Session,
    post: Post,
    now: datetime,
    *,
    content: IssueContent | None = None,
    is_archive: bool = False,
) -> ApplyResult:
    """Take one weekly post into the store: as a new issue, as a new revision of one, or as a held revision.

    `content` is the parsed post, if it has been parsed already; its problems hold it. A post with problems becomes
    a held revision, and the revision that was in force stays in force. A new issue that `is_archive` never counts
    as unread. Does not commit.

    Raises:
        ValueError: the post's title is not a weekly post's.
    """
    issue = find_topic(session, post.topic_id)
    content = content or read_post(post)
    if issue is None:
        issue = _new_issue(session, post, content, now)
    issue.author = issue.author or post.author
    issue.tags = list(post.tags) or issue.tags or []
    if issue.revisions and (same := _without_edit(session, issue, post, content, now)):
        return same
    revision = _add_revision(session, issue, post, content, now)
    if issue.revision == 0:
        issue.archived = is_archive
    if content.problems:
        if issue.deleted_at:
            paper_rows.restore_all(session, issue, now)
        issue.held_revision = revision.number
        return ApplyResult(issue, Outcome.HELD, problems=content.problems)
    if issue.revision == 0:
        _put_in_force(session, issue, revision, now)
        issue.changed_at = now
        return ApplyResult(issue, Outcome.ARCHIVED if is_archive else Outcome.NEW)
    changes = _put_in_force(session, issue, revision, now)
    if changes:
        issue.changed_at = now
    return ApplyResult(issue, Outcome.CHANGED if changes else Outcome.UNCHANGED, changes)


def release(session: Session, issue: Issue, now: datetime, left_out: Collection[str] = ()) -> None:
    """Put the held revision of an issue in force, whatever its problems are; or mail an issue that is archived.

    The papers `left_out` (by their works) are kept for the archive, because they were mailed before.

    Raises:
        StoreError: the issue is neither held nor archived, its held revision has no paper, or nobody can tell any more
            who has had its papers.
    """
    session.flush()
    advisory_lock(session, "ingest")
    session.refresh(issue)
    if issue.held_revision is None and not issue.archived:
        raise StoreError(f"issue {issue.week_start} is not held")
    is_to_mail = issue.held_revision is None
    if issue.held_revision is not None:
        _release_held(session, issue, issue.held_revision, now)
        paper_rows.take_over_withdrawn(session, issue, now)
    content = revision_content(revision_of(issue, issue.revision))
    works = [paper.work for paper in content.papers]
    in_force = [row for row in issue.papers if row.withdrawn_at is None]
    if is_to_mail and in_force and all(row.pruned_at for row in in_force):
        raise StoreError(
            f"mails of issue {issue.week_start} are too old to be kept, so nobody can tell who has had it: "
            "`paperboy resend` sends it to whom you name"
        )
    repeated = {row.number for row in in_force if works[row.position] in left_out}
    if is_to_mail:
        paper_rows.mail_archived(session, issue, repeated, now)
        issue.changed_at = now
    paper_rows.archive_papers(issue, repeated)
    session.flush()


def _release_held(session: Session, issue: Issue, held: int, now: datetime) -> None:
    revision = revision_of(issue, held)
    if not revision.content["papers"]:
        raise StoreError(
            f"issue {issue.week_start} has no paper that could go out; wait for an edit of the post"
        )
    revision.released_at = now
    _put_in_force(session, issue, revision, now)


def delete(session: Session, issue: Issue, now: datetime) -> None:
    """Note that the forum has no such post any more. Its papers are not mailed any further."""
    if issue.deleted_at is None:
        issue.deleted_at = now
        if issue.revision == 0:
            issue.held_revision = None  # there is nothing to release any more
        paper_rows.withdraw_all(issue, now)
        session.flush()


def dismiss(issue: Issue) -> None:
    """Leave a held post alone until it is edited, because it is no weekly post or must not go out.

    Raises:
        StoreError: the issue is not held.
    """
    if issue.held_revision is None:
        raise StoreError(f"issue {issue.topic_id} is not held")
    issue.held_revision = None


def revision_of(issue: Issue, number: int) -> Revision:
    """The issue's revision with a number."""
    return next(revision for revision in issue.revisions if revision.number == number)


# --- posts that say nothing new -----------------------------------------------------


def _without_edit(
    session: Session, issue: Issue, post: Post, content: IssueContent, now: datetime
) -> ApplyResult | None:
    """The result if nobody has edited the post since it was seen last, or None.

    Emoji sets and reply counts do not matter. If the same HTML is read in another way by now, because the parser has
    become better, the texts are replaced, and nothing counts as corrected.
    """
    last = issue.revisions[-1]
    stored = revision_content(last)
    is_written_alike = (last.title, last.raw_html) == (post.title, post.html)
    is_in_force = last.number == issue.revision
    is_same = stored.problems == content.problems and (is_written_alike or not diff(stored, content))
    if not (is_same or (is_written_alike and is_in_force)):
        return None
    issue.url = post.url
    if issue.deleted_at:
        return _undelete(session, issue, last, content, now)
    if is_in_force and not content.problems and not _has_other_papers(stored, content):
        _read_again(session, issue, last, stored, content, now)
    is_held = last.number == issue.held_revision
    return ApplyResult(
        issue,
        Outcome.HELD if is_held else Outcome.UNCHANGED,
        problems=content.problems if is_held else (),
    )


def _has_other_papers(stored: IssueContent, content: IssueContent) -> bool:
    changes = diff(stored, content)
    return bool(changes.added or changes.withdrawn)


def _read_again(
    session: Session,
    issue: Issue,
    revision: Revision,
    stored: IssueContent,
    content: IssueContent,
    now: datetime,
) -> None:
    read = issue_to_json(content)
    if revision.content == read:
        return
    revision.content = read
    _set_texts(issue, content)
    paper_rows.apply_papers(session, issue, content.papers, diff(stored, content), now, is_edit=False)


def _undelete(
    session: Session, issue: Issue, last: Revision, content: IssueContent, now: datetime
) -> ApplyResult:
    if issue.revision == 0:
        issue.deleted_at, issue.held_revision = None, last.number
        return ApplyResult(issue, Outcome.HELD, problems=content.problems)
    paper_rows.restore_all(session, issue, now)
    restored = tuple(paper_content(row).name for row in issue.papers if row.withdrawn_at is None)
    return ApplyResult(issue, Outcome.CHANGED, IssueDiff(restored=restored))


# --- rows ---------------------------------------------------------------------------


def _new_issue(session: Session, post: Post, content: IssueContent, now: datetime) -> Issue:
    issue = Issue(
        topic_id=post.topic_id,
        title=content.title,
        url=post.url,
        author=post.author,
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
    """Make a revision the issue's state, paper by paper. New papers arrive next."""
    content = revision_content(revision)
    is_first = issue.revision == 0
    if issue.deleted_at:
        paper_rows.restore_all(session, issue, now)
    old = replace(content, papers=()) if is_first else revision_content(revision_of(issue, issue.revision))
    changes = paper_rows.apply_papers(session, issue, content.papers, diff(old, content), now)
    revision.changes = {} if is_first else diff_to_json(changes)
    issue.title, issue.week_start, issue.week_end = content.title, content.week.start, content.week.end
    _set_texts(issue, content)
    issue.revision, issue.held_revision = revision.number, None
    session.flush()
    session.refresh(issue)
    return changes


def _set_texts(issue: Issue, content: IssueContent) -> None:
    issue.overview, issue.summary = to_json(content.overview), to_json(content.summary)
    issue.closing = to_json(content.closing)
