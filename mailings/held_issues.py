"""What operators do about held and archived issues: release them, or give a week to those whose title names none."""

from datetime import date, datetime

from sqlalchemy.orm import Session

from core.database import Sessions
from issues.models import Issue
from issues.parse.weeks import Week
from issues.posts import Post
from issues.queries import find
from issues.recognition import recognize
from issues.serialize import revision_content
from issues.store import StoreError, release, revision_of
from mailings.admission import mailed_before, read_published
from mailings.context import IntakeRules
from mailings.forum import ForumReader
from mailings.ingest_report import IngestReport
from mailings.intake import take_posts


def release_issue(session: Session, issue: Issue, now: datetime) -> None:
    """Put the held revision of an issue in force, or mail an archived issue, without papers that were mailed before.

    Raises:
        StoreError: the issue is neither held nor archived, has no paper, or its week is not known.
    """
    number = issue.held_revision or issue.revision
    if issue.held_revision:
        _check_week(issue, now)
    content = revision_content(revision_of(issue, number))
    release(session, issue, now, mailed_before(content, read_published(session), issue.topic_id))


def _check_week(issue: Issue, now: datetime) -> None:
    found = recognize(_post_of(issue), now, accepted_week=issue.accepted_week)
    if found and found.problem:
        raise StoreError(found.problem)


def accept_week(
    sessions: Sessions, name: str, week: date, *, rules: IntakeRules, now: datetime
) -> IngestReport:
    """Give a held issue the week that begins on a day, and take its post again.

    Raises:
        StoreError: there is no such issue, or it is not held.
    """
    with sessions.begin() as session:
        issue = find(session, name)
        if issue.held_revision is None:
            raise StoreError(f"issue {issue.week_start} is not held")
        issue.accepted_week = week
        issue.week_start, issue.week_end = (accepted := Week.beginning(week)).start, accepted.end
        post = _post_of(issue)
    forum = ForumReader(sessions, rules.allowed_hosts)
    forum.state.posts.append(post)
    return take_posts(sessions, forum, rules, now)


def _post_of(issue: Issue) -> Post:
    """The post as its newest revision has it."""
    last = issue.revisions[-1]
    return Post(issue.topic_id, last.title, issue.url, last.raw_html, issue.published_at, author=issue.author)
