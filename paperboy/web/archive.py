"""The archive: every issue in each language, with its corrections, and an Atom feed of it (RFC 4287)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import select
from starlette.exceptions import HTTPException

from core.languages import Language, TextLanguage
from emails.compose import closing_parts, opening_parts
from emails.edition import Part
from emails.paper_texts import texts_of
from issues.arrivals import Arrival
from issues.models import Issue
from issues.parse.content import PaperContent
from issues.parse.inline_html import blocks_html
from issues.parse.text import from_json, has_hangul
from issues.parse.titles import title_key
from issues.queries import all_issues, papers_in_issue
from paperboy.web.deps import ContextDep, TopicId, WebContext
from paperboy.web.i18n import page_language, translate
from paperboy.web.pages import render_page
from paperboy.web.text_diff import TextDiff, diff_words

router = APIRouter(include_in_schema=False)

MAX_FEED_ENTRIES = 20
FIELDS_IN_EVERY_LANGUAGE = {"title_en", "url", "links"}  # they are on the page whatever its language


@dataclass(frozen=True)
class ArchivedTitle:
    """A title in the language in which the page shows it."""

    text: str
    language: TextLanguage


@dataclass(frozen=True)
class Correction:
    """What an edit changed in a text.

    It belongs to a paper in force (by its number), to a withdrawn paper (without a number), or to the issue itself
    (with an empty title).
    """

    day: date
    number: int | None
    title: ArchivedTitle
    language: TextLanguage
    pieces: list[TextDiff]


@router.get("/archive")
def show_archive(request: Request, context: ContextDep) -> Response:
    """All issues, the newest first."""
    with context.database.sessions() as session:
        issues = [issue for issue in all_issues(session) if issue.revision]
        return render_page(request, "archive.html", issues=issues)


@router.get("/archive/{topic_id}")
def show_issue(
    request: Request, topic_id: TopicId, context: ContextDep, text: Language | None = None
) -> Response:
    """One issue in full. `text` chooses the language of its texts; by default it is the page's."""
    chosen = text or Language(page_language(request))
    languages = chosen.texts
    with context.database.sessions() as session:
        issue = session.scalar(select(Issue).where(Issue.topic_id == topic_id, Issue.revision > 0))
        if issue is None:
            raise HTTPException(404)
        papers = papers_in_issue(issue)
        front, _ = opening_parts(from_json(issue.overview), from_json(issue.summary), chosen)
        closing, _ = closing_parts(from_json(issue.closing), chosen)
        return render_page(
            request,
            "issue.html",
            subscriber_language=chosen,
            issue=issue,
            chosen=chosen,
            is_both=chosen == Language.BOTH,
            front=front,
            papers=[
                (arrival, _title(arrival.paper, languages), _texts(arrival.paper, languages))
                for arrival in papers
            ],
            closing=closing,
            blocks_html=blocks_html,
            corrections=list(_corrections(context, issue, papers, languages)),
        )


@router.get("/archive.atom")
def show_feed(context: ContextDep) -> Response:
    """The newest issues as a feed."""
    with context.database.sessions() as session:
        issues = [issue for issue in all_issues(session) if issue.revision][:MAX_FEED_ENTRIES]
        environment = Environment(
            loader=PackageLoader("paperboy.web"), autoescape=True, undefined=StrictUndefined
        )
        xml = environment.get_template("archive.atom").render(
            issues=issues,
            base=context.settings.base_url,
            name=context.identity.name,
            subtitle=translate(
                TextLanguage.KO, "tagline", forum=context.identity.forum_names[TextLanguage.KO]
            ),
            now=context.clock(),
        )
    return Response(xml, media_type="application/atom+xml")


def _texts(paper: PaperContent, languages: Sequence[TextLanguage]) -> list[Part]:
    """The texts of a paper in the languages of the page."""
    return [
        part
        for versions in texts_of(paper)
        for part in versions
        if part.blocks and part.language in languages
    ]


def _title(paper: PaperContent, languages: Sequence[TextLanguage]) -> ArchivedTitle:
    """A paper's title in the first of the languages that has one, or else in any language."""
    for language in (*languages, *TextLanguage):
        title = paper.texts_in(language).title
        if title:
            return ArchivedTitle(title, language)
    return ArchivedTitle("", languages[0])


def _corrections(
    context: WebContext, issue: Issue, papers: Sequence[Arrival], languages: Sequence[TextLanguage]
) -> Iterator[Correction]:
    """What edits changed in the texts on the page since the issue came out, the newest first."""
    known = {title_key(arrival.paper.name): arrival for arrival in papers}
    for seen_at, change in _changes(issue):
        name, field = change["paper"], change["field"]
        arrival = known.get(title_key(name))
        if arrival and field == "title_en":
            known[title_key(change["before"])] = arrival  # older edits use the old title
        language = _language_of(field)
        if language in languages or field in FIELDS_IN_EVERY_LANGUAGE:
            yield Correction(
                day=context.settings.local(seen_at).date(),
                number=arrival.number if arrival else None,
                title=_title(arrival.paper, languages) if arrival else _title_of_withdrawn(name),
                language=language,
                pieces=diff_words(change["before"], change["after"]),
            )


def _language_of(field: str) -> TextLanguage:
    """The language of a changed field. Names of papers and addresses are English, and notes are mostly Korean."""
    if field in FIELDS_IN_EVERY_LANGUAGE:
        return TextLanguage.EN
    suffix = field.rpartition("_")[2]
    return TextLanguage(suffix) if suffix in list(TextLanguage) else TextLanguage.KO


def _changes(issue: Issue) -> Iterator[tuple[datetime, dict[str, str]]]:
    for revision in reversed(issue.revisions):
        if revision.number <= issue.revision:
            for kind in ("retitled", "corrected"):
                for change in revision.changes.get(kind, ()):
                    yield revision.seen_at, change


def _title_of_withdrawn(name: str) -> ArchivedTitle:
    return ArchivedTitle(name, TextLanguage.KO if has_hangul(name) else TextLanguage.EN)
