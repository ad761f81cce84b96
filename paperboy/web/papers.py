"""The page of a paper, which is also found by its arXiv number, and the search over all papers."""

import json
import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from core.characters import storable
from core.languages import Language, TextLanguage
from emails.rendering.subject import full_dates
from issues.models import Issue, Paper
from issues.parse.inline_html import blocks_html
from issues.queries import papers_in_issue
from issues.search import (
    MAX_QUERY_CHARACTERS,
    find_papers,
    papers_at,
    parse_query,
    topics,
    years,
)
from issues.serialize import paper_content
from paperboy.web.card_pages import paper_card_path
from paperboy.web.deps import ContextDep, WebContext
from paperboy.web.i18n import page_language
from paperboy.web.issue_views import forum_host
from paperboy.web.page_head import PageHead, picture_policy
from paperboy.web.pages import render_page
from paperboy.web.paper_views import ShownPaper, ShownTitle, arxiv_number, paper_path, shown_paper, title_of

router = APIRouter(include_in_schema=False)

PAPERS_PER_PAGE = 20
MAX_PAGE = 500
SHOWN_TOPICS = 30
_ARXIV_NUMBER = re.compile(r"\d{4}\.\d{4,5}")
_OWN_NUMBER = re.compile(r"(\d{1,18})(?:-[a-z0-9-]*)?")


@router.get("/papers/{name}")
def show_paper(request: Request, name: str, context: ContextDep, text: Language | None = None) -> Response:
    """One paper with everything that the newsletter says about it. `name` begins with its number, or is from arXiv."""
    chosen = text or Language(page_language(request))
    language = page_language(request, chosen)
    with context.database.sessions() as session:
        row = _find(session, name)
        if row is None:
            raise HTTPException(404)
        arrival = next(each for each in papers_in_issue(row.issue) if each.number == row.number)
        path = paper_path(row.number, arrival.paper.name)
        if path != f"/papers/{name}":
            address = f"{path}?{request.query_params}".rstrip("?")
            # A title can be changed back. A browser that kept both redirects would then go round in circles.
            return RedirectResponse(address, status_code=308, headers={"Cache-Control": "no-cache"})
        view = shown_paper(arrival, language, forum_host(context))
        answer = render_page(
            request,
            "paper.html",
            subscriber_language=chosen,
            head=_head(context, view, row, language),
            paper=view,
            appearances=_appearances_of(session, view, row),
            chosen=chosen,
            blocks_html=blocks_html,
        )
    answer.headers["Content-Security-Policy"] = picture_policy(context)
    return answer


def _find(session: Session, name: str) -> Paper | None:
    """The paper in force that a path names."""
    if _ARXIV_NUMBER.fullmatch(name):
        return next(
            (row for row in papers_at(session, name) if arxiv_number(paper_content(row)) == name), None
        )
    in_force = select(Paper).join(Issue).where(Issue.revision > 0, Paper.withdrawn_at.is_(None))
    found = _OWN_NUMBER.fullmatch(name)
    return session.scalar(in_force.where(Paper.number == int(found[1]))) if found else None


def _appearances_of(session: Session, view: ShownPaper, row: Paper) -> list[Paper]:
    """The paper in each issue that it was in: as itself, and under other numbers where others brought the same work."""
    rows = papers_at(session, view.arxiv) if view.arxiv else []
    others = [other for other in rows if arxiv_number(paper_content(other)) == view.arxiv]
    by_issue = {each.issue_id: each for each in (*others, row)}
    return sorted(by_issue.values(), key=lambda each: each.issue.week_start)


def _head(context: WebContext, view: ShownPaper, row: Paper, language: TextLanguage) -> PageHead:
    gist = view.paper.texts_in(language).gist or view.paper.gist_en or view.paper.gist_ko
    about = {
        "@context": "https://schema.org",
        "@type": "ScholarlyArticle",
        "headline": view.title.text,
        "alternativeHeadline": view.subtitle,
        "abstract": gist,
        "inLanguage": "en",
        "url": f"{context.settings.base_url}{view.path}",
        "sameAs": view.paper.url,
        "identifier": f"arXiv:{view.arxiv}" if view.arxiv else "",
        "isPartOf": {
            "@type": "PublicationIssue",
            "name": full_dates(Language(language), row.issue.week_start, row.issue.week_end),
            "url": f"{context.settings.base_url}/archive/{row.issue.topic_id}",
        },
    }
    return PageHead(
        title=view.title.text,
        description=gist,
        image=paper_card_path(row, language),
        kind="article",
        structured=_json_in_html({name: value for name, value in about.items() if value}),
    )


def _json_in_html(value: dict[str, object]) -> str:
    """JSON that cannot end the element that it stands in (HTML, 4.12.1.3)."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


# --- search -------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A paper that was found: where its page is, what it is called, its gist, and its issue."""

    path: str
    title: ShownTitle
    gist: str
    issue: Issue


@router.get("/search")
def search(
    request: Request,
    context: ContextDep,
    text: Annotated[str, Query(alias="q", max_length=4 * MAX_QUERY_CHARACTERS)] = "",
    year: Annotated[int | None, Query(ge=1990, le=2999)] = None,
    topic: Annotated[str, Query(max_length=100)] = "",
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
) -> Response:
    """The papers whose titles and texts have all of the words, perhaps only of a year or of a topic of the forum."""
    query, language = parse_query(storable(text), year, storable(topic)), page_language(request)
    with context.database.sessions() as session:
        first = (page - 1) * PAPERS_PER_PAGE
        count, rows = find_papers(session, query, limit=PAPERS_PER_PAGE, offset=first)
        return render_page(
            request,
            "search.html",
            query=query,
            text=text,
            count=count,
            found=[_found(row, language) for row in rows],
            page=page,
            address=urlencode(
                {"q": text, "topic": topic, "lang": language} | ({"year": year} if year else {})
            ),
            has_more=page * PAPERS_PER_PAGE < count,
            years=years(session),
            topics=topics(session, SHOWN_TOPICS),
        )


def _found(row: Paper, language: TextLanguage) -> Found:
    paper = paper_content(row)
    gist = paper.texts_in(language).gist or paper.texts_in(language.other).gist
    return Found(paper_path(row.number, paper.name), title_of(paper, (language,)), gist, row.issue)
