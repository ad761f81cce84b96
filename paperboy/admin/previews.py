"""What the next runs will send, mail by mail, and the mails of editions and plans as readers see them."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select
from starlette.exceptions import HTTPException

from core.database import reading
from delivery.models import EditionRow
from delivery.planner import draft
from delivery.report import DigestReport
from emails.edition import Purpose, copy_of, slot_of
from emails.message import Reader, content_of, filled, widest
from emails.rendering.render import render
from issues.arrivals import Arrival, whole_issue
from issues.models import Issue
from mailings.digest_run import mail_of, next_run, read_due
from paperboy.admin.auth import HOME, SignedIn
from paperboy.admin.pages import show
from paperboy.web.archive import TopicId
from paperboy.web.deps import AtDesk, Desk, moment_of
from subscribers.audience import Group
from subscribers.models import FREQUENCIES, LANGUAGES

router = APIRouter(prefix=HOME, include_in_schema=False)

# A mail brings its own styles and shows pictures of the forum; nothing in it runs or leads out of its frame.
_MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src https: http: data:; frame-ancestors 'self'; sandbox"
_FRAMES = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Run:
    """A frequency's next run: the papers that may go out, and the groups of readers it has a mail for."""

    frequency: str
    report: DigestReport
    arrived: list[Arrival]
    groups: list[Group]

    def in_language(self, language: str) -> list[Group]:
        """Those of a language, the largest first."""
        fitting = [group for group in self.groups if group.language == language]
        return sorted(fitting, key=lambda group: -group.readers)


@router.get("/preview")
def show_preview(request: Request, desk: AtDesk, operator: SignedIn) -> Response:
    """The next mails of each frequency and language, at the widths of a phone and a desk."""
    answer = show(
        request,
        "preview.html",
        operator=operator,
        runs=[_next(desk, frequency) for frequency in FREQUENCIES],
        languages=LANGUAGES,
    )
    answer.headers["Content-Security-Policy"] = _FRAMES
    return answer


@router.get("/preview/{frequency}/{language}/{cursor}")
def show_mail(
    desk: AtDesk,
    _: SignedIn,
    frequency: Literal["weekly", "daily"],
    language: Literal["ko", "en", "both"],
    cursor: Annotated[int, Path(ge=0, le=2**63 - 1)],
) -> Response:
    """One of these mails."""
    run = _next(desk, frequency)
    group = next((group for group in run.in_language(language) if group.cursor == cursor), None)
    mail = group and mail_of(group, run.arrived, run.report.slot, frequency, desk.house, desk.rules)
    if not mail:
        raise HTTPException(404)
    return _shown(desk, draft(*mail, cursor, desk.clock()))


@router.get("/editions/{edition_id}")
def show_edition(desk: AtDesk, _: SignedIn, edition_id: Annotated[int, Path(ge=0, le=2**63 - 1)]) -> Response:
    """A digest's mail as it is stored."""
    with reading(desk.database) as session:
        row = session.get(EditionRow, edition_id)
        if row is None or not row.frequency:
            raise HTTPException(404)
        return _shown(desk, row)


@router.get("/copies/{topic_id}/{language}")
def show_copy(
    desk: AtDesk,
    _: SignedIn,
    topic_id: TopicId,
    language: Literal["ko", "en", "both"],
    papers: Annotated[str, Query(max_length=1_000, pattern=r"^\d{1,18}(,\d{1,18})*$")],
    correction: bool = False,
) -> Response:
    """A copy of some papers of an issue, as a plan for sending again has it."""
    with reading(desk.database) as session:
        issue = session.scalar(select(Issue).where(Issue.topic_id == topic_id))
        numbers = set(map(int, papers.split(",")))
        arrived = [arrival for arrival in whole_issue(issue) if arrival.number in numbers] if issue else []
    if not arrived:
        raise HTTPException(404)
    purpose: Purpose = "correction" if correction else "copy"
    edition = copy_of(arrived, slot=f"resend:{topic_id}", language=language, purpose=purpose)
    rendered = render(edition, archive=desk.house.archive, widest=widest(desk.house))
    return _shown(desk, draft(edition, rendered, 0, desk.clock()))


def _shown(desk: Desk, row: EditionRow) -> Response:
    """A mail as a reader without a name gets it; its personal links lead nowhere."""
    nobody = Reader("reader@example.org", "", "0" * 16, row.language)
    html, _text = filled(content_of(row), nobody, desk.house, desk.clock())
    return HTMLResponse(html, headers={"Content-Security-Policy": _MAIL_POLICY})


def _next(desk: Desk, frequency: str) -> Run:
    with reading(desk.database) as session:
        when = next_run(session, frequency, moment_of(desk))
        report = DigestReport(slot_of(frequency, when))
        audience, arrived = read_due(session, frequency, when, desk.rules, report)
    report.skip(audience.skipped)
    last = max((arrival.number for arrival in arrived), default=0)
    return Run(frequency, report, arrived, [group for group in audience.groups if group.cursor < last])
