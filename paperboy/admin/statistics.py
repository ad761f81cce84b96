"""How readers and runs have developed, as plots and tables."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from core.database import reading
from monitoring.statistics import readers_by_week, runs_by_slot
from paperboy.admin.auth import HOME, SignedIn
from paperboy.admin.pages import show
from paperboy.admin.plots import bars, lines
from paperboy.web.deps import AtDesk

router = APIRouter(prefix=HOME, include_in_schema=False)

RESULTS = ("sent", "deferred", "failed", "bounced")


@router.get("/figures")
def show_figures(request: Request, desk: AtDesk, operator: SignedIn) -> Response:
    """Readers over time, and what became of each run's mails."""
    with reading(desk.database) as session:
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
