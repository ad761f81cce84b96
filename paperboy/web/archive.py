"""The archive: every issue in each language, with what was corrected, and a feed of it (RFC 4287)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import select
from starlette.exceptions import HTTPException

from issues import store
from issues.arrivals import Arrival, whole_issue
from issues.models import Issue
from issues.parse.post import PaperContent
from issues.parse.readable import prose
from issues.parse.text import Block, from_json, has_hangul
from issues.parse.titles import title_key
from paperboy.web.deps import AtDesk, Desk
from paperboy.web.i18n import language_of
from paperboy.web.pages import page
from paperboy.web.text_diff import Piece, differences

router = APIRouter(include_in_schema=False)

FEED_ENTRIES = 20
ON_EVERY_PAGE = {"title_en", "url", "links"}  # parts that are on the page whatever its language
Language = Literal["ko", "en", "both"]
TopicId = Annotated[int, Path(le=2**63 - 1)]  # what the database can look for


@dataclass(frozen=True)
class Text:
    """A text of an issue or a paper in one language."""

    name: str
    language: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Title:
    """A title in the language that the page has it in."""

    text: str
    language: str


@dataclass(frozen=True)
class Correction:
    """What an edit changed in a text: of a paper in force (by its number), of one since withdrawn, or of
    the issue, whose title is empty.
    """

    day: date
    number: int | None
    title: Title
    language: str
    pieces: list[Piece]


@router.get("/archive")
def show_archive(request: Request, desk: AtDesk) -> Response:
    """All issues, the newest first."""
    with desk.database.sessions() as session:
        issues = [issue for issue in store.every(session) if issue.revision]
        return page(request, "archive.html", issues=issues)


@router.get("/archive/{topic_id}")
def show_issue(request: Request, topic_id: TopicId, desk: AtDesk, text: Language | None = None) -> Response:
    """One issue in full; `text` chooses the language of its texts, else it is the page's."""
    chosen = text or language_of(request)
    spoken = ("ko", "en") if chosen == "both" else (chosen,)
    with desk.database.sessions() as session:
        issue = session.scalar(select(Issue).where(Issue.topic_id == topic_id, Issue.revision > 0))
        if issue is None:
            raise HTTPException(404)
        papers = whole_issue(issue)
        return page(
            request,
            "issue.html",
            reader_language=chosen,
            issue=issue,
            chosen=chosen,
            is_both=chosen == "both",
            front=[text for text in _front(issue) if text.language in spoken],
            papers=[
                (
                    arrival,
                    _title(arrival.paper, spoken),
                    [text for text in _texts(arrival.paper) if text.language in spoken],
                )
                for arrival in papers
            ],
            corrections=list(_corrections(desk, issue, papers, spoken)),
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


def _title(paper: PaperContent, spoken: Sequence[str]) -> Title:
    """A paper's title in the first of the languages that has one."""
    is_english = paper.title_en and ("ko" not in spoken or not paper.title_ko)
    return Title(paper.title_en, "en") if is_english else Title(paper.title_ko, "ko")


def _corrections(
    desk: Desk, issue: Issue, papers: Sequence[Arrival], spoken: Sequence[str]
) -> Iterator[Correction]:
    """What edits changed in the texts on the page since the issue came out, the newest first."""
    known = {title_key(arrival.paper.title_en or arrival.paper.title_ko): arrival for arrival in papers}
    for seen_at, change in _changes(issue):
        name, field = change["paper"], change["field"]
        arrival = known.get(title_key(name))
        if arrival and field == "title_en":
            known[title_key(change["before"])] = arrival  # older edits call it so
        language = "en" if field.endswith("_en") or field in ON_EVERY_PAGE else "ko"
        if language in spoken or field in ON_EVERY_PAGE:
            yield Correction(
                day=desk.settings.local(seen_at).date(),
                number=arrival.number if arrival else None,
                title=_title(arrival.paper, spoken) if arrival else _title_of_old(name),
                language=language,
                pieces=differences(change["before"], change["after"]),
            )


def _changes(issue: Issue) -> Iterator[tuple[datetime, dict[str, str]]]:
    for revision in reversed(issue.revisions):
        if revision.number <= issue.revision:
            for kind in ("retitled", "corrected"):
                for change in revision.changes.get(kind, ()):
                    yield revision.seen_at, change


def _title_of_old(name: str) -> Title:
    return Title(name, "ko" if has_hangul(name) else "en")
