"""The statistics page: how subscribers and runs developed, as plots and tables."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from core.database import read_only
from monitoring.statistics import latest_slots, subscribers_by_week
from paperboy.admin.auth import HOME, SignedIn
from paperboy.admin.plots import bar_plot, line_plot
from paperboy.admin.render import render_admin
from paperboy.web.deps import ContextDep

router = APIRouter(prefix=HOME, include_in_schema=False)

RESULTS = ("sent", "deferred", "failed", "bounced")


@router.get("/figures")
def show_statistics(request: Request, context: ContextDep, operator: SignedIn) -> Response:
    """Subscribers over time, and what became of each run's mails."""
    with read_only(context.database) as session:
        languages = subscribers_by_week(session, "language", context.clock())
        frequencies = subscribers_by_week(session, "frequency", context.clock())
        runs = latest_slots(session)
    return render_admin(
        request,
        "statistics.html",
        operator=operator,
        languages=languages,
        frequencies=frequencies,
        runs=runs,
        by_language=line_plot(languages),
        by_frequency=line_plot(frequencies),
        by_run={what: bar_plot([(run.slot, getattr(run, what)) for run in runs]) for what in RESULTS},
    )
