"""Issues for programs and feed readers: Atom and JSON Feed in full text for each language, an issue as JSON or Markdown."""

import re
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from core.languages import Language, TextLanguage
from emails.edition import Part
from emails.rendering.subject import full_dates
from issues.parse.inline_html import blocks_html
from issues.parse.text import Block
from issues.queries import published_issues
from paperboy.web.deps import ContextDep, TopicId, WebContext
from paperboy.web.i18n import translate
from paperboy.web.issue_views import ShownIssue, find_published, shown_issue
from paperboy.web.paper_views import ShownPaper

router = APIRouter(include_in_schema=False)

MAX_FEED_ENTRIES = 20
JSON_FEED = "https://jsonfeed.org/version/1.1"
_MARKUP = re.compile(r"[\\`*_\[\]<>]|&(?=#?\w+;)")
_BEGINNING_OF_BLOCK = re.compile(r"^(?:#{1,6}(?= |$)|[-+](?= |$)|-(?: ?-){2}|~{3})")
_NUMBER_OF_ITEM = re.compile(r"^(\d{1,9})([.)])(?= |$)", re.ASCII)


def feed_language(request: Request) -> TextLanguage:
    """The language that the address of a feed names; Korean without one."""
    asked = request.query_params.get("lang", "")
    return TextLanguage(asked) if asked in list(TextLanguage) else TextLanguage.KO


@router.get("/archive.atom")
def show_atom(request: Request, context: ContextDep) -> Response:
    """The newest issues as an Atom feed (RFC 4287) in full text, with the dates of their posts."""
    language = feed_language(request)
    environment = Environment(
        loader=PackageLoader("paperboy.web"), autoescape=True, undefined=StrictUndefined
    )
    entries = _entries(context, language)
    xml = environment.get_template("archive.atom").render(
        entries=entries,
        language=language,
        base=context.settings.base_url,
        name=context.identity.name,
        subtitle=translate(language, "tagline", forum=context.identity.forum_names[language]),
        now=context.clock(),
    )
    return Response(xml, media_type="application/atom+xml")


@router.get("/feed.json")
def show_json_feed(request: Request, context: ContextDep) -> Response:
    """The same as a JSON Feed (jsonfeed.org, version 1.1)."""
    language, base = feed_language(request), context.settings.base_url
    feed = {
        "version": JSON_FEED,
        "title": context.identity.name,
        "home_page_url": f"{base}/?lang={language}",
        "feed_url": f"{base}/feed.json?lang={language}",
        "description": translate(language, "tagline", forum=context.identity.forum_names[language]),
        "language": str(language),
        "items": [
            {
                "id": entry["url"],
                "url": f"{entry['url']}?lang={language}",
                "title": entry["title"],
                "summary": entry["summary"],
                "content_html": str(entry["content"]),
                "date_published": entry["published"].isoformat(),
                "date_modified": entry["updated"].isoformat(),
                "tags": entry["tags"],
            }
            for entry in _entries(context, language)
        ],
    }
    return JSONResponse(feed, media_type="application/feed+json")


def _entries(context: WebContext, language: TextLanguage) -> list[dict[str, Any]]:
    """The newest issues as entries of a feed."""
    with context.database.sessions() as session:
        issues = published_issues(session, MAX_FEED_ENTRIES)
        views = [shown_issue(issue, language, context) for issue in issues]
    return [
        {
            "url": f"{context.settings.base_url}/archive/{view.issue.topic_id}",
            "title": view.issue.title,
            "published": view.issue.published_at,
            "updated": view.issue.changed_at,
            "summary": " ".join(f"{paper.position}. {paper.title.text}" for paper in view.papers),
            "content": Markup("\n").join(_html(view, language, context.settings.base_url)),
            "tags": list(view.issue.tags),
        }
        for view in views
    ]


def _html(view: ShownIssue, language: TextLanguage, base: str) -> Iterator[Markup]:
    """An issue in one language as HTML without our styles."""
    yield from _parts(view.opening, language)
    for paper in view.papers:
        link = Markup('<h2>{}. <a href="{}">{}</a></h2>')
        yield link.format(paper.position, f"{base}{paper.path}", paper.title.text)
        yield from (
            Markup("<p><strong>{}</strong></p>").format(gist.text)
            for gist in paper.gists
            if gist.language == language
        )
        yield Markup("<p>{}</p>").format(
            Markup(" · ").join(
                Markup('<a href="{}">{}</a>').format(link.url, link.name) for link in paper.links
            )
        )
        yield from _parts(paper.texts, language)
    yield from _parts(view.closing, language)


def _parts(parts: tuple[Part, ...], language: TextLanguage) -> Iterator[Markup]:
    for part in parts:
        if part.language == language:
            heading = part.heading or translate(language, f"text.{part.name}")
            yield Markup("<h3>{}</h3>{}").format(heading, blocks_html(part.blocks))


# --- one issue ----------------------------------------------------------------------


@router.get("/archive/{topic_id}.json")
def export_json(context: ContextDep, topic_id: TopicId) -> Response:
    """An issue as JSON: dates as in ISO 8601, texts in both languages as plain text."""
    view = _view(context, topic_id)
    issue, base = view.issue, context.settings.base_url
    return JSONResponse(
        {
            "topic_id": issue.topic_id,
            "url": f"{base}/archive/{issue.topic_id}",
            "forum": issue.url,
            "title": issue.title,
            "week_start": issue.week_start.isoformat(),
            "week_end": issue.week_end.isoformat(),
            "published_at": issue.published_at.isoformat(),
            "changed_at": issue.changed_at.isoformat(),
            "revision": issue.revision,
            "tags": list(issue.tags),
            "opening": _texts(view.opening),
            "papers": [_paper(paper, base) for paper in view.papers],
            "closing": _texts(view.closing),
        }
    )


def _view(context: WebContext, topic_id: int, language: TextLanguage = TextLanguage.EN) -> ShownIssue:
    with context.database.sessions() as session:
        return shown_issue(find_published(session, topic_id), language, context)


def _paper(paper: ShownPaper, base: str) -> dict[str, Any]:
    return {
        "number": paper.number,
        "position": paper.position,
        "url": f"{base}{paper.path}",
        "paper": paper.paper.url,
        "arxiv": paper.arxiv,
        "title": {language: paper.paper.texts_in(language).title for language in TextLanguage},
        "gist": {language: paper.paper.texts_in(language).gist for language in TextLanguage},
        "links": [{"name": link.name, "url": link.url} for link in paper.links],
        "texts": _texts(paper.texts),
    }


def _texts(parts: tuple[Part, ...]) -> list[dict[str, str]]:
    return [
        {"name": part.name, "heading": part.heading, "language": part.language, "text": _plain(part.blocks)}
        for part in parts
    ]


def _plain(blocks: tuple[Block, ...]) -> str:
    return "\n\n".join(block.text for block in blocks)


@router.get("/archive/{topic_id}.md")
def export_markdown(request: Request, context: ContextDep, topic_id: TopicId) -> Response:
    """An issue as Markdown in one language."""
    language = feed_language(request)
    view = _view(context, topic_id, language)
    text = "\n\n".join(_markdown(view, language)) + "\n"
    return PlainTextResponse(text, media_type="text/markdown; charset=utf-8")


def _markdown(view: ShownIssue, language: TextLanguage) -> Iterator[str]:
    week = full_dates(Language(language), view.issue.week_start, view.issue.week_end)
    yield f"# {translate(language, 'issue.heading', week=week)}"
    yield f"<{view.issue.url}>"
    yield from _markdown_parts(view.opening, language, 2)
    for paper in view.papers:
        yield f"## {paper.position}. {markdown_of(paper.title.text)}"
        yield from (f"**{markdown_of(gist.text)}**" for gist in paper.gists if gist.language == language)
        yield "\n".join(f"- {markdown_of(link.name)}: <{link.url}>" for link in paper.links)
        yield from _markdown_parts(paper.texts, language, 3)
    yield from _markdown_parts(view.closing, language, 2)


def _markdown_parts(parts: tuple[Part, ...], language: TextLanguage, level: int) -> Iterator[str]:
    for part in parts:
        if part.language == language:
            yield f"{'#' * level} {markdown_of(part.heading or translate(language, f'text.{part.name}'))}"
            yield from (
                f"- {markdown_of(block.text)}" if block.type == "li" else markdown_of(block.text)
                for block in part.blocks
            )


def markdown_of(text: str) -> str:
    """A text in which Markdown sees no markup and no HTML (CommonMark, 4 and 5.2 for how blocks begin, 6.2 for entities)."""
    text = _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))
    return _NUMBER_OF_ITEM.sub(r"\1\\\2", _BEGINNING_OF_BLOCK.sub(r"\\\g<0>", text))
