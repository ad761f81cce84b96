"""Issues: all of them, and of each its edits as differences, what became of its mails, and who decided what."""

from dataclasses import dataclass
from datetime import date, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from core.audit_log import latest_actions
from core.database import read_only
from issues.models import Issue, Revision
from issues.queries import all_issues, changes_of, week_problem
from monitoring.history import mails_of_issue
from paperboy.admin.auth import HOME, SignedIn
from paperboy.admin.render import render_admin
from paperboy.web.deps import ContextDep, TopicId
from paperboy.web.text_diff import TextDiff, diff_words

router = APIRouter(prefix=HOME, include_in_schema=False)

FIRST_WEEK, LAST_WEEK = date(2000, 1, 1), date(2099, 12, 31)  # that the form takes
MAX_NOTE_CHARACTERS = 1_000  # of the note in each language
SHOWN_ACTIONS = 50


@dataclass(frozen=True)
class Change:
    """What an edit changed in one part of a paper, or of the issue itself."""

    paper: str
    field: str
    pieces: list[TextDiff]


@dataclass(frozen=True)
class Edit:
    """One revision: what it added, withdrew and changed, and why it is held, if it is."""

    number: int
    seen_at: datetime
    released_at: datetime | None
    is_in_force: bool
    is_held: bool
    problems: list[str]
    added: list[str]
    withdrawn: list[str]
    changes: list[Change]


@router.get("/issues")
def show_issues(request: Request, context: ContextDep, operator: SignedIn) -> Response:
    """All issues, the newest first."""
    with read_only(context.database) as session:
        return render_admin(request, "issues.html", operator=operator, issues=all_issues(session))


@router.get("/issues/{topic_id}")
def show_issue(request: Request, topic_id: TopicId, context: ContextDep, operator: SignedIn) -> Response:
    """One issue: its edits as differences, and what became of its mails."""
    with read_only(context.database) as session:
        issue = issue_of(session, topic_id)
        return render_admin(
            request,
            "issue.html",
            operator=operator,
            issue=issue,
            edits=[_edit(issue, revision) for revision in reversed(issue.revisions)],
            mails=mails_of_issue(session, issue),
            actions=latest_actions(session, SHOWN_ACTIONS, f"issue {topic_id}"),
            lacks_week=bool(week_problem(issue)),
            can_be_mailed=can_be_mailed(issue),
            weeks=(FIRST_WEEK, LAST_WEEK),
            note_length=MAX_NOTE_CHARACTERS,
        )


def can_be_mailed(issue: Issue) -> bool:
    """Whether an issue in the archive can be mailed. What is held must be decided first."""
    return issue.archived and issue.revision > 0 and not (issue.held_revision or issue.deleted_at)


def issue_of(session: Session, topic_id: int) -> Issue:
    """The issue of a topic.

    Raises:
        HTTPException: there is none.
    """
    issue = session.scalar(select(Issue).where(Issue.topic_id == topic_id))
    if issue is None:
        raise HTTPException(404)
    return issue


def _edit(issue: Issue, revision: Revision) -> Edit:
    changes = changes_of(issue, revision)
    return Edit(
        number=revision.number,
        seen_at=revision.seen_at,
        released_at=revision.released_at,
        is_in_force=revision.number == issue.revision,
        is_held=revision.number == issue.held_revision,
        problems=list(revision.problems),
        added=list(changes.get("added", ())),
        withdrawn=list(changes.get("withdrawn", ())),
        changes=[
            Change(change["paper"], change["field"], diff_words(change["before"], change["after"]))
            for kind in ("retitled", "corrected")
            for change in changes.get(kind, ())
        ],
    )
