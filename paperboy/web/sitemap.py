"""What search engines read: the sitemap of all public pages in each language, and robots.txt."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from xml.sax.saxutils import escape

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.languages import TextLanguage
from issues.models import Issue
from issues.queries import paper_titles
from paperboy.web.deps import ContextDep
from paperboy.web.paper_views import paper_path

router = APIRouter(include_in_schema=False)

PUBLIC_PAGES = ("/", "/archive", "/search", "/help", "/privacy")
MAX_ADDRESSES = 50_000  # of one sitemap (sitemaps.org, protocol)


class Entry(NamedTuple):
    """A page, and when it changed last, if that is known."""

    path: str
    changed_at: datetime | None = None


@router.get("/sitemap.xml")
def show_sitemap(context: ContextDep) -> Response:
    """All public pages, each with its address in the other language (developers.google.com, localized versions)."""
    base = context.settings.base_url
    with context.database.sessions() as session:
        entries = list(_entries(session))[: MAX_ADDRESSES // len(TextLanguage)]
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml">',
        *(_url(base, entry, language) for entry in entries for language in TextLanguage),
        "</urlset>",
    ]
    return Response("\n".join(lines), media_type="application/xml")


def _entries(session: Session) -> Iterator[Entry]:
    yield from map(Entry, PUBLIC_PAGES)
    issues = (
        select(Issue.topic_id, Issue.changed_at).where(Issue.revision > 0).order_by(Issue.week_start.desc())
    )
    yield from (Entry(f"/archive/{topic_id}", changed_at) for topic_id, changed_at in session.execute(issues))
    for title in paper_titles(session):
        yield Entry(paper_path(title.number, title.english or title.korean), title.changed_at)


def _url(base: str, entry: Entry, language: TextLanguage) -> str:
    address = escape(f"{base}{entry.path}")
    others = "".join(
        f'<xhtml:link rel="alternate" hreflang="{other}" href="{address}?lang={other}"/>'
        for other in TextLanguage
    )
    changed = f"<lastmod>{entry.changed_at.date()}</lastmod>" if entry.changed_at else ""
    return f"<url><loc>{address}?lang={language}</loc>{changed}{others}</url>"


@router.get("/robots.txt")
def show_robots(context: ContextDep) -> Response:
    """Everything may be indexed; pages with tokens in their address say noindex themselves."""
    return PlainTextResponse(f"User-agent: *\nAllow: /\nSitemap: {context.settings.base_url}/sitemap.xml\n")
