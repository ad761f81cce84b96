"""The note of the operators in the digest that opens an issue: written in both languages, shown in a mail, then kept."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from core.audit_log import Action, record_action
from core.characters import storable
from core.database import read_only
from core.frequencies import Frequency
from core.languages import Language
from core.slots import preview_slot
from emails.choose import editions_of_issue
from emails.content import MailSpec
from emails.edition import EmptyIssueError
from issues.models import Issue
from issues.queries import papers_in_issue
from monitoring.previews import edition_preview
from paperboy.admin.auth import HOME, ForbiddenActionError, FromOurPage, SignedIn
from paperboy.admin.issues import MAX_NOTE_CHARACTERS, issue_of
from paperboy.admin.render import render_admin
from paperboy.web.deps import ContextDep, TopicId, WebContext

router = APIRouter(
    prefix=f"{HOME}/issues/{{topic_id}}/note", include_in_schema=False, dependencies=[FromOurPage]
)

# The previewed mails stand in frames without an address, so the policy of the page is theirs as well.
_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' https: http: data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class NoteForm:
    """The note as it was written, in both languages or in none."""

    def __init__(
        self,
        topic_id: TopicId,
        note_ko: Annotated[str, Form(max_length=MAX_NOTE_CHARACTERS)] = "",
        note_en: Annotated[str, Form(max_length=MAX_NOTE_CHARACTERS)] = "",
    ) -> None:
        self.korean, self.english = (_lines(text) for text in (note_ko, note_en))
        if bool(self.korean) != bool(self.english):
            page = f"{HOME}/issues/{topic_id}"
            raise ForbiddenActionError("Write the note in both languages, or leave both empty.", page, 409)


def _lines(text: str) -> str:
    """The paragraphs that have words, one a line."""
    return "\n".join(line.strip() for line in storable(text).splitlines() if line.strip())


Note = Annotated[NoteForm, Depends()]


@router.post("/preview")
def show_preview(
    request: Request, topic_id: TopicId, context: ContextDep, operator: SignedIn, note: Note
) -> Response:
    """The weekly mail of each language with the note. Nothing is stored."""
    with read_only(context.database) as session:
        issue = issue_of(session, topic_id)
        page = render_admin(
            request,
            "note_preview.html",
            operator=operator,
            issue=issue,
            note=note,
            mails=[_mail(issue, note, language, context) for language in (Language.KO, Language.EN)],
        )
    page.headers["Content-Security-Policy"] = _POLICY
    return page


def _mail(issue: Issue, note: NoteForm, language: Language, context: WebContext) -> str:
    """The HTML of the issue's weekly mail in a language."""
    papers = papers_in_issue(issue)
    facts = [replace(paper.issue, note_ko=note.korean, note_en=note.english) for paper in papers]
    noted = [replace(paper, issue=fact) for paper, fact in zip(papers, facts, strict=True)]
    spec = MailSpec(preview_slot(Frequency.WEEKLY), language, Frequency.WEEKLY)
    try:
        editions = editions_of_issue(noted, spec, daily_papers=0)
    except EmptyIssueError as error:
        raise ForbiddenActionError(str(error), f"{HOME}/issues/{issue.topic_id}", 409) from None
    return edition_preview(editions[0], "note", context.identity, context.clock()).html


@router.post("")
def keep_note(topic_id: TopicId, context: ContextDep, operator: SignedIn, note: Note) -> Response:
    """Keep the note for the mails that open the issue from now on. An empty one takes it away."""
    with context.database.sessions.begin() as session:
        _keep(session, topic_id, note)
        target = f"issue {topic_id}"
        record_action(
            session,
            operator.name,
            Action.NOTE,
            target,
            context.clock(),
            note=f"{note.korean} / {note.english}",
        )
    return RedirectResponse(f"{HOME}/issues/{topic_id}", status_code=303)


def _keep(session: Session, topic_id: int, note: NoteForm) -> None:
    issue = issue_of(session, topic_id)
    issue.note_ko, issue.note_en = note.korean, note.english
