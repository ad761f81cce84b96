"""The statistics page: how subscribers and runs developed, as plots and tables."""

from typing import get_args

from fastapi import APIRouter, Request
from fastapi.responses import Response

from core.database import read_only
from monitoring.statistics import Choice, latest_slots, subscribers_by_week
from paperboy.admin.auth import HOME, SignedIn
from paperboy.admin.plots import bar_plot, line_plot
from paperboy.admin.render import render_admin
from paperboy.web.deps import ContextDep

router = APIRouter(prefix=HOME, include_in_schema=False)

CHOICES: tuple[Choice, ...] = get_args(Choice)
RESULTS = ("sent", "deferred", "failed", "bounced")


@router.get("/figures")
def show_statistics(request: Request, context: ContextDep, operator: SignedIn) -> Response:
    """Subscribers over time, and what became of each run's mails."""
    with read_only(context.database) as session:
        choices = {by: subscribers_by_week(session, by, context.clock()) for by in CHOICES}
        runs = latest_slots(session)
    return render_admin(
        request,
        "statistics.html",
        operator=operator,
        choices=[(by, line_plot(series), series) for by, series in choices.items()],
        runs=runs,
        by_run={what: bar_plot([(run.slot, getattr(run, what)) for run in runs]) for what in RESULTS},
    )
