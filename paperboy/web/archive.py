"""The archive: all issues by year, and the page of each in both languages, with its corrections."""

from itertools import groupby

from fastapi import APIRouter, Request
from fastapi.responses import Response

from core.languages import Language
from emails.rendering.subject import full_dates
from issues.parse.inline_html import blocks_html
from issues.queries import papers_in_issue, published_issues, titles_by_topic
from issues.search import topics, years
from paperboy.web.card_pages import issue_card_path
from paperboy.web.deps import ContextDep, TopicId
from paperboy.web.i18n import page_language, translate
from paperboy.web.issue_views import corrections_of, find_published, neighbours, shown_issue
from paperboy.web.page_head import PageHead, picture_policy
from paperboy.web.pages import render_page

router = APIRouter(include_in_schema=False)

SHOWN_TOPICS = 30


@router.get("/archive")
def show_archive(request: Request, context: ContextDep) -> Response:
    """All issues by year, the newest first, and a search."""
    with context.database.sessions() as session:
        issues = published_issues(session)
        return render_page(
            request,
            "archive.html",
            by_year=[
                (year, list(found)) for year, found in groupby(issues, lambda issue: issue.week_end.year)
            ],
            titles=titles_by_topic(session),
            years=years(session),
            topics=topics(session, SHOWN_TOPICS),
        )


@router.get("/archive/{topic_id}")
def show_issue(
    request: Request, topic_id: TopicId, context: ContextDep, text: Language | None = None
) -> Response:
    """One issue in full, in both languages. `text` chooses which are shown at first; by default it is the page's."""
    chosen = text or Language(page_language(request))
    language = page_language(request, chosen)
    with context.database.sessions() as session:
        issue = find_published(session, topic_id)
        arrived = papers_in_issue(issue)
        view = shown_issue(issue, language, context)
        before, after = neighbours(session, issue)
        week = full_dates(Language(language), issue.week_start, issue.week_end)
        gists = [gist.text for paper in view.papers for gist in paper.gists if gist.language == language]
        answer = render_page(
            request,
            "issue.html",
            subscriber_language=chosen,
            head=PageHead(
                title=translate(language, "issue.heading", week=week),
                description=" ".join(gists[:2]),
                image=issue_card_path(issue, language),
                kind="article",
            ),
            view=view,
            issue=issue,
            chosen=chosen,
            before=before,
            after=after,
            blocks_html=blocks_html,
            corrections=list(corrections_of(context, issue, arrived, language)),
        )
    answer.headers["Content-Security-Policy"] = picture_policy(context)
    return answer
