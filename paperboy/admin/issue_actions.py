"""What operators decide about an issue: release it, mail or call it off, give it a week, leave it alone. All is recorded."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from core.audit_log import Action, record_action
from core.database import read_only
from issues.models import Issue
from issues.queries import week_problem
from issues.store import StoreError, dismiss
from mailings.call_off import call_off
from mailings.context import intake_rules_from
from mailings.held_issues import accept_week, release_issue
from paperboy.admin.auth import HOME, ForbiddenActionError, FromOurPage, Operator, SignedIn
from paperboy.admin.issues import FIRST_WEEK, LAST_WEEK, can_be_mailed, issue_of
from paperboy.web.deps import ContextDep, TopicId, WebContext

router = APIRouter(prefix=f"{HOME}/issues/{{topic_id}}", include_in_schema=False, dependencies=[FromOurPage])

ShownRevision = Annotated[int, Form(alias="revision")]


@router.post("/release")
def release_held(
    topic_id: TopicId, context: ContextDep, operator: SignedIn, shown: ShownRevision
) -> Response:
    """Put the held revision that the operator looked at in force. If it is in force already, nothing changes."""
    with context.database.sessions.begin() as session:
        issue = issue_of(session, topic_id)
        if issue.held_revision:
            _check_shown(shown, issue.held_revision, topic_id)
            _release(session, issue, context.clock())
            _record(session, operator, Action.RELEASE, topic_id, context, revision=shown)
    return _page(topic_id)


@router.post("/mail")
def mail_archived(
    topic_id: TopicId, context: ContextDep, operator: SignedIn, shown: ShownRevision
) -> Response:
    """Mail an archived issue as the operator saw it. If it is no longer archived, nothing changes."""
    with context.database.sessions.begin() as session:
        issue = issue_of(session, topic_id)
        if can_be_mailed(issue):
            _check_shown(shown, issue.revision, topic_id)
            _release(session, issue, context.clock())
            _record(session, operator, Action.MAIL_ARCHIVED, topic_id, context, revision=shown)
    return _page(topic_id)


@router.post("/call-off")
def call_issue_off(topic_id: TopicId, context: ContextDep, operator: SignedIn) -> Response:
    """Take back the mails of an issue that have not left, and send it to nobody else."""
    try:
        taken = call_off(context.database.sessions, str(topic_id), context.clock())
    except StoreError as error:
        raise ForbiddenActionError(str(error), _path(topic_id), 409) from None
    with context.database.sessions.begin() as session:
        _record(session, operator, Action.CALL_OFF, topic_id, context, mails=taken)
    return _page(topic_id)


@router.post("/accept")
def accept_held(
    topic_id: TopicId,
    context: ContextDep,
    operator: SignedIn,
    shown: ShownRevision,
    week: Annotated[date, Form(ge=FIRST_WEEK, le=LAST_WEEK)],
) -> Response:
    """Give a held issue the week that begins on a day. It takes seconds, because the mails are rendered on trial."""
    with read_only(context.database) as session:
        issue = issue_of(session, topic_id)
        held_revision = issue.held_revision if week_problem(issue) else None
    if held_revision:
        _check_shown(shown, held_revision, topic_id)
        rules, now = intake_rules_from(context.settings), context.clock()
        try:
            accept_week(context.database.sessions, str(topic_id), week, rules=rules, now=now)
        except StoreError as error:
            raise ForbiddenActionError(str(error), _path(topic_id), 409) from None
        with context.database.sessions.begin() as session:
            _record(session, operator, Action.ACCEPT_WEEK, topic_id, context, week=week)
    return _page(topic_id)


@router.post("/dismiss")
def dismiss_held(
    topic_id: TopicId, context: ContextDep, operator: SignedIn, shown: ShownRevision
) -> Response:
    """Leave a held post alone until it is edited."""
    with context.database.sessions.begin() as session:
        issue = issue_of(session, topic_id)
        if issue.held_revision:
            _check_shown(shown, issue.held_revision, topic_id)
            dismiss(issue)
            _record(session, operator, Action.DISMISS, topic_id, context, revision=shown)
    return _page(topic_id)


def _path(topic_id: int) -> str:
    return f"{HOME}/issues/{topic_id}"


def _page(topic_id: int) -> Response:
    return RedirectResponse(_path(topic_id), status_code=303)


def _check_shown(shown: int, current: int, topic_id: int) -> None:
    if shown != current:
        raise ForbiddenActionError("The issue has changed since this page was shown.", _path(topic_id), 409)


def _release(session: Session, issue: Issue, now: datetime) -> None:
    try:
        release_issue(session, issue, now)
    except StoreError as error:
        raise ForbiddenActionError(str(error), _path(issue.topic_id), 409) from None


def _record(
    session: Session, operator: Operator, action: Action, topic_id: int, context: WebContext, **detail: object
) -> None:
    record_action(session, operator.name, action, f"issue {topic_id}", context.clock(), **detail)
