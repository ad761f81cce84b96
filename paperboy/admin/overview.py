"""The overview: what became of the last digests, what needs attention, the newest issues and the last runs."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from core.audit_log import latest_actions
from core.database import read_only
from core.run_log import latest_runs
from issues.queries import all_issues
from mailings.context import warm_up_from
from monitoring.attention import attention_items
from monitoring.overview import overview_sentences, read_overview
from paperboy.admin.auth import HOME, SignedIn
from paperboy.admin.render import render_admin
from paperboy.web.deps import ContextDep

router = APIRouter(prefix=HOME, include_in_schema=False)

RUNS_OF_EACH_KIND = 3
NEWEST_ISSUES = 6
SHOWN_ACTIONS = 200


@router.get("")
def show_overview(request: Request, context: ContextDep, operator: SignedIn) -> Response:
    """A sentence about the last digests first, then what needs attention, the newest issues and the last runs."""
    with read_only(context.database) as session:
        overview = read_overview(session, context.local_now, warm_up_from(context.settings))
        return render_admin(
            request,
            "overview.html",
            operator=operator,
            overview=overview,
            sentences=overview_sentences(overview, context.settings.operator_language),
            items=attention_items(session, context.clock(), context.settings.bounce_alarm),
            issues=all_issues(session)[:NEWEST_ISSUES],
            runs=latest_runs(session, RUNS_OF_EACH_KIND),
        )


@router.get("/actions")
def show_actions(request: Request, context: ContextDep, operator: SignedIn) -> Response:
    """What operators did, and who did it."""
    with read_only(context.database) as session:
        actions = latest_actions(session, SHOWN_ACTIONS)
    return render_admin(request, "actions.html", operator=operator, actions=actions)
