"""The archive: every issue in each language, with what was corrected, and a feed of it (RFC 4287)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import select
from starlette.exceptions import HTTPException

from emails.prose import prose
from issues import store
from issues.models import Issue
from issues.post import PaperContent
from issues.text import Block, from_json
from paperboy.web.desk import AtDesk
from paperboy.web.pages import page

router = APIRouter(include_in_schema=False)

FEED_ENTRIES = 20
Language = Literal["ko", "en", "both"]
TopicId = Annotated[int, Path(le=2**63 - 1)]  # what the database can look for


@dataclass(frozen=True)
class Text:
    """A text of an issue or a paper in one language."""

    name: str
    language: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Correction:
    """What an edit changed: the part of a paper (or of the issue), before and after."""

    at: datetime
    paper: str
    field: str
    before: str
    after: str


@router.get("/archive")
def show_archive(request: Request, desk: AtDesk) -> Response:
    """All issues, the newest first."""
    with desk.database.sessions() as session:
        issues = [issue for issue in store.every(session) if issue.revision]
        return page(request, "archive.html", issues=issues)


@router.get("/archive/{topic_id}")
def show_issue(request: Request, topic_id: TopicId, desk: AtDesk, text: Language | None = None) -> Response:
    """One issue in full; `text` chooses the language of its texts, else it is the page's."""
    with desk.database.sessions() as session:
        issue = session.scalar(select(Issue).where(Issue.topic_id == topic_id, Issue.revision > 0))
        if issue is None:
            raise HTTPException(404)
        return page(
            request,
            "issue.html",
            reader_language=text or "",
            issue=issue,
            text=text or "",
            front=_front(issue),
            papers=[(paper, list(_texts(paper.paper))) for paper in store.whole_issue(issue)],
            corrections=list(_corrections(issue)),
        )


@router.get("/archive.atom")
def show_feed(desk: AtDesk) -> Response:
    """The newest issues as a feed."""
    with desk.database.sessions() as session:
        issues = [issue for issue in store.every(session) if issue.revision][:FEED_ENTRIES]
        environment = Environment(
            loader=PackageLoader("paperboy.web"), autoescape=True, undefined=StrictUndefined
        )
        xml = environment.get_template("archive.atom").render(
            issues=issues, base=desk.settings.base_url, now=desk.clock()
        )
    return Response(xml, media_type="application/atom+xml")


def _front(issue: Issue) -> list[Text]:
    texts = [("overview", from_json(issue.overview)), ("summary", from_json(issue.summary))]
    return [Text(name, "ko", prose(blocks)) for name, blocks in texts if blocks]


def _texts(paper: PaperContent) -> Iterator[Text]:
    for name in ("intro", "abstract"):
        for language in ("ko", "en"):
            blocks = getattr(paper, f"{name}_{language}")
            if blocks:
                yield Text(name, language, prose(blocks))
    if paper.notes:
        yield Text("notes", "ko", prose(paper.notes))


def _corrections(issue: Issue) -> Iterator[Correction]:
    """What edits changed since the issue came out, the newest first."""
    for revision in reversed(issue.revisions):
        if revision.number <= issue.revision:
            for kind in ("retitled", "corrected"):
                for change in revision.changes.get(kind, ()):
                    yield Correction(revision.seen_at, **change)
