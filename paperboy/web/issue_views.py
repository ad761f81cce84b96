"""An issue as its page, its exports and the feeds show it: papers, opening and closing texts, corrections, neighbours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from core.languages import Language, TextLanguage
from emails.compose import closing_parts, opening_parts
from emails.edition import Part
from issues.arrivals import Arrival
from issues.models import Issue
from issues.parse.text import from_json, has_hangul
from issues.parse.titles import title_key
from issues.queries import papers_in_issue
from paperboy.web.deps import WebContext
from paperboy.web.paper_views import ShownPaper, ShownTitle, shown_paper, title_of
from paperboy.web.text_diff import TextDiff, diff_words

FIELDS_IN_EVERY_LANGUAGE = {"title_en", "url", "links"}  # they are on the page whatever its language


@dataclass(frozen=True)
class ShownIssue:
    """An issue for a page in a language. `opening` and `closing` are the texts of both languages."""

    issue: Issue
    papers: list[ShownPaper]
    opening: tuple[Part, ...]
    closing: tuple[Part, ...]

    @property
    def lacks_english(self) -> bool:
        """Whether some texts are in Korean only."""
        return any(TextLanguage.EN not in paper.languages for paper in self.papers) or bool(
            self.opening and all(part.language == TextLanguage.KO for part in self.opening)
        )


@dataclass(frozen=True)
class Correction:
    """What an edit changed in a text.

    It belongs to a paper in force (by its number), to a withdrawn paper (without a number), or to the issue itself
    (with an empty title). If it `follows_choice`, it is shown only with the texts of its language.
    """

    day: date
    number: int | None
    title: ShownTitle
    language: TextLanguage
    pieces: list[TextDiff]
    follows_choice: bool = True


def find_published(session: Session, topic_id: int) -> Issue:
    """The issue of a topic, if it has been published.

    Raises:
        HTTPException: there is none.
    """
    issue = session.scalar(select(Issue).where(Issue.topic_id == topic_id, Issue.revision > 0))
    if issue is None:
        raise HTTPException(404)
    return issue


def shown_issue(issue: Issue, language: TextLanguage, context: WebContext) -> ShownIssue:
    """An issue for a page in a language."""
    host = forum_host(context)
    opening, _ = opening_parts(from_json(issue.overview), from_json(issue.summary), Language.BOTH)
    closing, _ = closing_parts(from_json(issue.closing), Language.BOTH)
    papers = [shown_paper(arrival, language, host) for arrival in papers_in_issue(issue)]
    return ShownIssue(issue, papers, opening, closing)


def forum_host(context: WebContext) -> str:
    """The host of the forum, whose pictures the pages show."""
    return urlsplit(context.settings.feed_url).hostname or ""


def neighbours(session: Session, issue: Issue) -> tuple[Issue | None, Issue | None]:
    """The published issues before and after one."""
    published = select(Issue).where(Issue.revision > 0)
    before = published.where(Issue.week_start < issue.week_start).order_by(Issue.week_start.desc(), Issue.id)
    after = published.where(Issue.week_start > issue.week_start).order_by(Issue.week_start, Issue.id)
    return session.scalar(before.limit(1)), session.scalar(after.limit(1))


# --- corrections --------------------------------------------------------------------


def corrections_of(
    context: WebContext, issue: Issue, papers: Sequence[Arrival], language: TextLanguage
) -> Iterator[Correction]:
    """What edits changed in the texts of the issue since it came out, the newest first."""
    known = {title_key(arrival.paper.name): arrival for arrival in papers}
    for seen_at, change in _changes(issue):
        name, field = change["paper"], change["field"]
        arrival = known.get(title_key(name))
        if arrival and field == "title_en":
            known[title_key(change["before"])] = arrival  # older edits use the old title
        yield Correction(
            day=context.settings.local(seen_at).date(),
            number=arrival.number if arrival else None,
            title=title_of(arrival.paper, (language,)) if arrival else _title_of_withdrawn(name),
            language=_language_of(field),
            pieces=diff_words(change["before"], change["after"]),
            follows_choice=field not in FIELDS_IN_EVERY_LANGUAGE,
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


def _title_of_withdrawn(name: str) -> ShownTitle:
    return ShownTitle(name, TextLanguage.KO if has_hangul(name) else TextLanguage.EN)
