"""The images of cards and the icons, at addresses that change with what they show."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response
from sqlalchemy import select
from starlette.exceptions import HTTPException

from core.languages import Language, TextLanguage
from emails.compose import compose
from emails.rendering.subject import full_dates, headline_of
from issues.models import Issue, Paper
from issues.parse.content import PaperContent
from issues.queries import papers_in_issue
from issues.serialize import paper_content
from paperboy.web.cards import MAX_LINES, Card, card_image, icon_image
from paperboy.web.deps import ContextDep, TopicId, WebContext
from paperboy.web.i18n import translate
from paperboy.web.issue_views import find_published
from paperboy.web.paper_views import archive_spec, title_of

router = APIRouter(include_in_schema=False)

MAX_AGE_SECONDS = 7 * 86_400
PaperNumber = Annotated[int, Path(ge=0, le=2**63 - 1)]


def issue_card_path(issue: Issue, language: TextLanguage) -> str:
    """Where the card of an issue is. Another revision has another address, because sites keep what they have seen."""
    return f"/cards/issues/{issue.topic_id}-{language}.png?v={issue.revision}"


def paper_card_path(paper: Paper, language: TextLanguage) -> str:
    """Where the card of a paper is. With another title or gist it is elsewhere."""
    shown = _title_and_gist(paper_content(paper), language)
    version = hashlib.sha256(repr(shown).encode()).hexdigest()[:6]
    return f"/cards/papers/{paper.number}-{language}.png?v={version}"


def _title_and_gist(paper: PaperContent, language: TextLanguage) -> tuple[str, str]:
    return title_of(paper, (language,)).text, paper.texts_in(language).gist


@router.get("/cards/home-{language}.png")
def show_home_card(context: ContextDep, language: TextLanguage) -> Response:
    """The card of all pages that have none of their own."""
    title = translate(language, "tagline", forum=context.identity.forum_names[language])
    return _image(context, Card(context.identity.name, translate(language, "card.about"), title))


@router.get("/cards/issues/{topic_id}-{language}.png")
def show_issue_card(context: ContextDep, topic_id: TopicId, language: TextLanguage) -> Response:
    """The card of an issue: its week, what its papers are called, and the titles of the first ones."""
    with context.database.sessions() as session:
        issue = find_published(session, topic_id)
        papers = papers_in_issue(issue)
        week = full_dates(Language(language), issue.week_start, issue.week_end)
    titles = tuple(title_of(arrival.paper, (language,)).text for arrival in papers)
    names = headline_of(compose(papers, 0, archive_spec(Language(language)))) if papers else ""
    return _image(context, Card(context.identity.name, week, names, titles[:MAX_LINES]))


@router.get("/cards/papers/{number}-{language}.png")
def show_paper_card(context: ContextDep, number: PaperNumber, language: TextLanguage) -> Response:
    """The card of a paper: its title and its gist."""
    with context.database.sessions() as session:
        row = session.scalar(select(Paper).join(Issue).where(Paper.number == number, Issue.revision > 0))
        if row is None:
            raise HTTPException(404)
        title, gist = _title_and_gist(paper_content(row), language)
        week = full_dates(Language(language), row.issue.week_start, row.issue.week_end)
    lines = (gist,) if gist else ()
    return _image(context, Card(context.identity.name, week, title, lines))


@router.get("/favicon.ico")
def show_favicon() -> Response:
    """The icon for browsers that take no SVG."""
    return _cached(icon_image(32, "ICO"), "image/x-icon")


@router.get("/apple-touch-icon.png")
def show_touch_icon() -> Response:
    """The icon on a phone's home screen."""
    return _cached(icon_image(180, "PNG"), "image/png")


def _image(context: WebContext, card: Card) -> Response:
    return _cached(card_image(card, context.settings.data_dir / "cards"), "image/png")


def _cached(content: bytes, media_type: str) -> Response:
    return Response(
        content, media_type=media_type, headers={"Cache-Control": f"public, max-age={MAX_AGE_SECONDS}"}
    )
