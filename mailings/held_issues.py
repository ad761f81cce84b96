"""What operators do about held and archived issues: release them, or give a week to those whose title names none."""

from datetime import date, datetime

from sqlalchemy.orm import Session

from core.database import Sessions
from issues.models import Issue
from issues.parse.weeks import Week
from issues.queries import find, last_post, week_problem
from issues.serialize import revision_content
from issues.store import StoreError, release, revision_of
from mailings.admission import mailed_before, read_published
from mailings.context import IntakeRules
from mailings.forum import ForumReader
from mailings.ingest_report import IngestReport
from mailings.intake import take_posts

MAX_YEAR = 9999  # a week that begins later could not end


def release_issue(session: Session, issue: Issue, now: datetime) -> None:
    """Put the held revision of an issue in force, or mail an archived issue, without papers that were mailed before.

    Raises:
        StoreError: the issue is neither held nor archived, has no paper, its week is not known, or its post is gone.
    """
    number = issue.held_revision or issue.revision
    if issue.deleted_at:
        raise StoreError(f"the post of issue {issue.topic_id} was deleted on the forum")
    if issue.held_revision and (problem := week_problem(issue)):
        raise StoreError(problem)
    content = revision_content(revision_of(issue, number))
    release(session, issue, now, mailed_before(content, read_published(session), issue.topic_id))


def accept_week(
    sessions: Sessions, name: str, week: date, *, rules: IntakeRules, now: datetime
) -> IngestReport:
    """Give a held issue the week that begins on a day, and take its post again.

    Raises:
        StoreError: there is no such issue, its week is known, or the week is far from the day of its post.
    """
    accepted = Week.beginning(week) if week.year < MAX_YEAR else None
    with sessions.begin() as session:
        issue = find(session, name)
        if not (issue.held_revision and week_problem(issue)):
            raise StoreError(
                f"issue {issue.topic_id} does not wait for a week; its own is that of {issue.week_start}"
            )
        published = issue.published_at.date()
        if accepted is None or not accepted.is_near(published):
            raise StoreError(f"a week that begins on {week} is far from the day of the post ({published})")
        issue.accepted_week = week
        issue.week_start, issue.week_end = accepted.start, accepted.end
        post = last_post(issue)
    forum = ForumReader(sessions, rules.allowed_hosts)
    forum.state.posts.append(post)
    return take_posts(sessions, forum, rules, now)
