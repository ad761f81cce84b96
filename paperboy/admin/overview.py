"""What needs attention, the issues, and each issue's revisions, mails and release."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from core.database import reading
from core.run_log import latest
from issues import store
from issues.models import Issue, Revision
from monitoring import attention, history
from paperboy.admin.auth import HOME, FromOurPage, RefusedError, SignedIn
from paperboy.admin.pages import show
from paperboy.web.archive import TopicId
from paperboy.web.deps import AtDesk
from paperboy.web.text_diff import Piece, differences

router = APIRouter(prefix=HOME, include_in_schema=False)


@dataclass(frozen=True)
class Change:
    """What an edit changed in one part of a paper, or of the issue itself."""

    paper: str
    field: str
    pieces: list[Piece]


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


@router.get("")
def show_overview(request: Request, desk: AtDesk, operator: SignedIn) -> Response:
    """What needs attention first, then the issues and the last runs."""
    with reading(desk.database) as session:
        return show(
            request,
            "overview.html",
            operator=operator,
            matters=attention.matters(session, desk.clock(), desk.settings.bounce_alarm),
            issues=store.every(session),
            runs=latest(session, 3),
            local=desk.settings.local,
        )


@router.get("/issues/{topic_id}")
def show_issue(request: Request, topic_id: TopicId, desk: AtDesk, operator: SignedIn) -> Response:
    """One issue: its edits as differences, and what became of its mails."""
    with reading(desk.database) as session:
        issue = _issue(session, topic_id)
        return show(
            request,
            "issue.html",
            operator=operator,
            issue=issue,
            edits=[_edit(issue, revision) for revision in reversed(issue.revisions)],
            mails=history.of_issue(session, issue),
            local=desk.settings.local,
        )


@router.post("/issues/{topic_id}/release", dependencies=[FromOurPage])
def release(topic_id: TopicId, desk: AtDesk, revision: Annotated[int, Form()]) -> Response:
    """Put the held state that was looked at in force; if it is in force already, nothing changes."""
    page = f"{HOME}/issues/{topic_id}"
    with desk.database.sessions.begin() as session:
        issue = _issue(session, topic_id)
        if issue.held_revision and issue.held_revision != revision:
            raise RefusedError("Another state is held by now.", page, 409)
        if issue.held_revision:
            try:
                store.release(session, issue, desk.clock())
            except store.StoreError as fault:
                raise RefusedError(str(fault), page, 409) from None
    return RedirectResponse(page, status_code=303)


def _issue(session: Session, topic_id: int) -> Issue:
    issue = session.scalar(select(Issue).where(Issue.topic_id == topic_id))
    if issue is None:
        raise HTTPException(404)
    return issue


def _edit(issue: Issue, revision: Revision) -> Edit:
    changes = store.changes_of(issue, revision)
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
            Change(change["paper"], change["field"], differences(change["before"], change["after"]))
            for kind in ("retitled", "corrected")
            for change in changes.get(kind, ())
        ],
    )
