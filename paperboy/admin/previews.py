"""What the next runs will send, mail by mail, and the mails of stored editions and resend plans."""

from dataclasses import dataclass
from itertools import product
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select
from starlette.exceptions import HTTPException

from core.database import read_only
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from delivery.editions import content_of, spec_of
from delivery.models import EditionRow
from delivery.report import DigestReport
from emails.content import Content, MailSpec
from emails.kinds import WITH_PAPERS, MailKind
from emails.message import PREVIEW_RECIPIENT, personalized
from issues.arrivals import Arrival
from issues.models import Issue
from issues.queries import papers_in_issue
from mailings.digest_plan import DigestSlot, mail_of_group, read_due, regular_slot
from mailings.digest_run import next_run_at
from mailings.next_mail import UnrenderedMailError
from mailings.resend.editions import resend_edition, resend_spec
from paperboy.admin.auth import HOME, ForbiddenActionError, SignedIn
from paperboy.admin.render import render_admin
from paperboy.web.deps import ContextDep, TopicId, WebContext
from subscribers.audience import AudienceGroup

router = APIRouter(prefix=HOME, include_in_schema=False)

# A mail has its own styles and shows the forum's pictures. Nothing in it runs, and nothing leads out of its frame.
_MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src https: http: data:; frame-ancestors 'self'; sandbox"
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class NextRun:
    """A frequency's next run: the papers that may go out, and the groups of subscribers that get a mail."""

    frequency: Frequency
    slot: DigestSlot
    report: DigestReport
    arrived: list[Arrival]
    groups: list[AudienceGroup]

    def groups_with(self, language: Language, detail: Detail) -> list[AudienceGroup]:
        """The groups with a language and a detail, the largest first."""
        groups = [group for group in self.groups if (group.language, group.detail) == (language, detail)]
        return sorted(groups, key=lambda group: -group.size)


@router.get("/preview")
def show_preview(request: Request, context: ContextDep, operator: SignedIn) -> Response:
    """The next mails of each frequency, language and detail, as wide as a phone and as a desktop."""
    answer = render_admin(
        request,
        "preview.html",
        operator=operator,
        runs=[_next_run(context, frequency) for frequency in Frequency],
        choices=list(product(Language, Detail)),
    )
    answer.headers["Content-Security-Policy"] = _PAGE_POLICY
    return answer


@router.get("/preview/{frequency}/{language}/{cursor}")
def show_mail(
    context: ContextDep,
    _: SignedIn,
    frequency: Frequency,
    language: Language,
    cursor: Annotated[int, Path(ge=0, le=2**63 - 1)],
    detail: Detail = Detail.FULL,
) -> Response:
    """One of these mails."""
    run = _next_run(context, frequency)
    group = next((group for group in run.groups_with(language, detail) if group.cursor == cursor), None)
    try:
        mail = group and mail_of_group(group, run.arrived, run.slot, context.identity, context.rules)
    except UnrenderedMailError as error:
        raise ForbiddenActionError(str(error), f"{HOME}/preview", 409) from None
    if not mail:
        raise HTTPException(404)
    return _mail_response(context, mail.edition.spec, mail.rendered.content)


@router.get("/editions/{edition_id}")
def show_edition(
    context: ContextDep, _: SignedIn, edition_id: Annotated[int, Path(ge=0, le=2**63 - 1)]
) -> Response:
    """A digest's mail as it is stored."""
    with read_only(context.database) as session:
        row = session.get(EditionRow, edition_id)
        if row is None or row.kind not in WITH_PAPERS:
            raise HTTPException(404)
        return _mail_response(context, spec_of(row), content_of(row))


@router.get("/copies/{topic_id}/{language}")
def show_copy(
    context: ContextDep,
    _: SignedIn,
    topic_id: TopicId,
    language: Language,
    papers: Annotated[str, Query(max_length=1_000, pattern=r"^\d{1,18}(,\d{1,18})*$")],
    detail: Detail = Detail.FULL,
    correction: bool = False,
) -> Response:
    """A copy of some papers of an issue, as it is in a resend plan."""
    with read_only(context.database) as session:
        issue = session.scalar(select(Issue).where(Issue.topic_id == topic_id))
        numbers = set(map(int, papers.split(",")))
        arrived = (
            [arrival for arrival in papers_in_issue(issue) if arrival.number in numbers] if issue else []
        )
    if not arrived:
        raise HTTPException(404)
    spec = resend_spec(topic_id, MailKind.CORRECTION if correction else MailKind.COPY, language, detail)
    row = resend_edition(arrived, spec, context.identity, context.clock())
    return _mail_response(context, spec_of(row), content_of(row))


def _mail_response(context: WebContext, spec: MailSpec, content: Content) -> Response:
    """A mail as somebody without a name gets it. Its personal links belong to nobody."""
    html, _text = personalized(spec, content, PREVIEW_RECIPIENT, context.identity, context.clock())
    return HTMLResponse(html, headers={"Content-Security-Policy": _MAIL_POLICY})


def _next_run(context: WebContext, frequency: Frequency) -> NextRun:
    with read_only(context.database) as session:
        when = next_run_at(session, frequency, context.local_now)
        slot = regular_slot(frequency, when)
        report = DigestReport(slot.name)
        audience, arrived = read_due(session, slot, when, context.rules, report)
    report.skip(audience.skipped)
    last = max((arrival.arrival_order for arrival in arrived), default=0)
    groups = [group for group in audience.groups if group.cursor < last]
    return NextRun(frequency, slot, report, arrived, groups)
