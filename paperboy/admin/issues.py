"""One issue: its edits as differences, what became of its mails, and what an operator decides about it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from core.database import read_only
from issues.models import Issue, Revision
from issues.queries import changes_of, week_problem
from issues.store import StoreError, dismiss
from mailings.context import intake_rules_from
from mailings.held_issues import accept_week, release_issue
from monitoring.history import mails_of_issue
from paperboy.admin.auth import HOME, ForbiddenActionError, FromOurPage, SignedIn
from paperboy.admin.render import render_admin
from paperboy.web.archive import TopicId
from paperboy.web.deps import ContextDep
from paperboy.web.text_diff import TextDiff, diff_words

router = APIRouter(prefix=HOME, include_in_schema=False)

FIRST_WEEK, LAST_WEEK = date(2000, 1, 1), date(2099, 12, 31)  # that the form takes


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


@router.get("/issues/{topic_id}")
def show_issue(request: Request, topic_id: TopicId, context: ContextDep, operator: SignedIn) -> Response:
    """One issue: its edits as differences, and what became of its mails."""
    with read_only(context.database) as session:
        issue = _issue(session, topic_id)
        return render_admin(
            request,
            "issue.html",
            operator=operator,
            issue=issue,
            edits=[_edit(issue, revision) for revision in reversed(issue.revisions)],
            mails=mails_of_issue(session, issue),
            lacks_week=bool(week_problem(issue)),
            can_be_mailed=_can_be_mailed(issue),
            weeks=(FIRST_WEEK, LAST_WEEK),
            local=context.settings.local,
        )


@router.post("/issues/{topic_id}/release", dependencies=[FromOurPage])
def release_held(topic_id: TopicId, context: ContextDep, revision: Annotated[int, Form()]) -> Response:
    """Put the held revision that the operator looked at in force. If it is in force already, nothing changes."""
    page = f"{HOME}/issues/{topic_id}"
    with context.database.sessions.begin() as session:
        issue = _issue(session, topic_id)
        if issue.held_revision:
            _check_shown(revision, issue.held_revision, page)
            _release(session, issue, context.clock(), page)
    return RedirectResponse(page, status_code=303)


@router.post("/issues/{topic_id}/mail", dependencies=[FromOurPage])
def mail_archived(topic_id: TopicId, context: ContextDep, revision: Annotated[int, Form()]) -> Response:
    """Mail an archived issue as the operator saw it. If it is no longer archived, nothing changes."""
    page = f"{HOME}/issues/{topic_id}"
    with context.database.sessions.begin() as session:
        issue = _issue(session, topic_id)
        if _can_be_mailed(issue):
            _check_shown(revision, issue.revision, page)
            _release(session, issue, context.clock(), page)
    return RedirectResponse(page, status_code=303)


@router.post("/issues/{topic_id}/accept", dependencies=[FromOurPage])
def accept_held(
    topic_id: TopicId,
    context: ContextDep,
    revision: Annotated[int, Form()],
    week: Annotated[date, Form(ge=FIRST_WEEK, le=LAST_WEEK)],
) -> Response:
    """Give a held issue the week that begins on a day. It takes seconds, because the mails are rendered on trial."""
    page = f"{HOME}/issues/{topic_id}"
    with read_only(context.database) as session:
        issue = _issue(session, topic_id)
        held_revision = issue.held_revision if week_problem(issue) else None
    if held_revision:
        _check_shown(revision, held_revision, page)
        rules, now = intake_rules_from(context.settings), context.clock()
        try:
            accept_week(context.database.sessions, str(topic_id), week, rules=rules, now=now)
        except StoreError as error:
            raise ForbiddenActionError(str(error), page, 409) from None
    return RedirectResponse(page, status_code=303)


@router.post("/issues/{topic_id}/dismiss", dependencies=[FromOurPage])
def dismiss_held(topic_id: TopicId, context: ContextDep, revision: Annotated[int, Form()]) -> Response:
    """Leave a held post alone until it is edited."""
    page = f"{HOME}/issues/{topic_id}"
    with context.database.sessions.begin() as session:
        issue = _issue(session, topic_id)
        if issue.held_revision:
            _check_shown(revision, issue.held_revision, page)
            dismiss(issue)
    return RedirectResponse(page, status_code=303)


def _check_shown(revision: int, current: int, page: str) -> None:
    if revision != current:
        raise ForbiddenActionError("The issue has changed since this page was shown.", page, 409)


def _release(session: Session, issue: Issue, now: datetime, page: str) -> None:
    try:
        release_issue(session, issue, now)
    except StoreError as error:
        raise ForbiddenActionError(str(error), page, 409) from None


def _can_be_mailed(issue: Issue) -> bool:
    """Whether an issue in the archive can be mailed. What is held must be decided first."""
    return issue.archived and issue.revision > 0 and not (issue.held_revision or issue.deleted_at)


def _issue(session: Session, topic_id: int) -> Issue:
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
