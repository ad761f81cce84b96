"""The statistics page: how subscribers and runs developed, as plots with a table beside each."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import get_args

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup

from core.database import read_only
from monitoring.statistics import (
    COMPLAINT_TARGET,
    Choice,
    SlotStatistics,
    latest_slots,
    mails_by_month,
    subscribers_by_week,
)
from monitoring.translation import translate
from paperboy.admin.auth import HOME, SignedIn
from paperboy.admin.plots import Bar, bar_plot, line_plot
from paperboy.admin.render import render_admin
from paperboy.web.deps import ContextDep

router = APIRouter(prefix=HOME, include_in_schema=False)

CHOICES: tuple[Choice, ...] = get_args(Choice)
PLOTTED_RUNS = 12
WEEKS_BESIDE = 8  # that the table beside a plot shows at once


@router.get("/figures")
def show_statistics(request: Request, context: ContextDep, operator: SignedIn) -> Response:
    """Subscribers over time, and what became of each run's mails."""
    with read_only(context.database) as session:
        choices = {by: subscribers_by_week(session, by, context.clock()) for by in CHOICES}
        runs = latest_slots(session)
        months = mails_by_month(session)
    say = partial(translate, context.settings.operator_language)
    lines = [
        (by, line_plot(series, say("Subscribers by {choice}", choice=by), say), series)
        for by, series in choices.items()
    ]
    return render_admin(
        request,
        "statistics.html",
        operator=operator,
        choices=lines,
        runs=runs[::-1],
        months=months,
        plots=_run_plots(runs[-PLOTTED_RUNS:], context.settings.bounce_alarm / 100, say),
        weeks_beside=WEEKS_BESIDE,
    )


def _run_plots(
    runs: Sequence[SlotStatistics], bounce_target: float, say: Callable[..., str]
) -> list[tuple[str, Markup]]:
    """The plots of the last runs, the newest on top: mails that were sent, and three rates with what they should be below."""
    newest_first = runs[::-1]
    sent = [Bar(run.slot, run.sent, f"{run.sent:,}") for run in newest_first]
    rates: list[tuple[str, Callable[[SlotStatistics], float], float | None]] = [
        ("Failed", lambda run: run.rate(run.failed), None),
        ("Bounced", lambda run: run.rate(run.bounced), bounce_target),
        ("Complaints", lambda run: run.rate(run.complaints), COMPLAINT_TARGET),
    ]
    plots = [(say("Sent"), bar_plot(sent, say("Sent")))]
    for name, rate_of, target in rates:
        bars = [Bar(run.slot, rate_of(run), f"{rate_of(run):.2%}") for run in newest_first]
        limit = say("limit {rate}", rate=f"{target:.1%}") if target is not None else ""
        plots.append((say(name), bar_plot(bars, say(name), target, limit)))
    return plots
