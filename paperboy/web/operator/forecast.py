"""What the next runs will send, mail by mail, and how readers and runs have developed."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from emails.digests import mail_of, next_run, read_due
from emails.edition import slot_of
from emails.figures import readers_by_week, runs_by_slot
from emails.message import Reader, content_of, filled
from emails.planning import draft
from emails.report import DigestReport
from issues.store import Arrival
from paperboy.web.desk import AtDesk, Desk, moment_of
from paperboy.web.operator.entry import HOME, SignedIn
from paperboy.web.operator.pages import show
from paperboy.web.operator.plots import bars, lines
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
    """One of these mails, as a reader without a name gets it; its personal links lead nowhere."""
    run = _next(desk, frequency)
    group = next((group for group in run.in_language(language) if group.cursor == cursor), None)
    mail = group and mail_of(group, run.arrived, run.report.slot, frequency, desk.house, desk.rules)
    if not mail:
        raise HTTPException(404)
    content = content_of(draft(*mail, cursor, desk.clock()))
    nobody = Reader("reader@example.org", "", "0" * 16, language)
    html, _text = filled(content, nobody, desk.house, desk.clock())
    return HTMLResponse(html, headers={"Content-Security-Policy": _MAIL_POLICY})


def _next(desk: Desk, frequency: str) -> Run:
    with desk.database.sessions() as session:
        when = next_run(session, frequency, moment_of(desk))
        report = DigestReport(slot_of(frequency, when))
        audience, arrived = read_due(session, frequency, when, desk.rules, report)
    report.skip(audience.skipped)
    last = max((arrival.number for arrival in arrived), default=0)
    return Run(frequency, report, arrived, [group for group in audience.groups if group.cursor < last])


@router.get("/figures")
def show_figures(request: Request, desk: AtDesk, operator: SignedIn) -> Response:
    """Readers over time, and what became of each run's mails."""
    with desk.database.sessions() as session:
        languages = readers_by_week(session, "language", desk.clock())
        frequencies = readers_by_week(session, "frequency", desk.clock())
        runs = runs_by_slot(session)
    return show(
        request,
        "figures.html",
        operator=operator,
        languages=languages,
        frequencies=frequencies,
        runs=runs,
        by_language=lines(languages),
        by_frequency=lines(frequencies),
        by_run={what: bars([(run.slot, getattr(run, what)) for run in runs]) for what in RESULTS},
    )


RESULTS = ("sent", "deferred", "failed", "bounced")
