"""The overview: what needs attention, the issues, and the last runs."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from core.database import read_only
from core.run_log import latest_runs
from issues.queries import all_issues
from monitoring.attention import attention_items
from paperboy.admin.auth import HOME, SignedIn
from paperboy.admin.render import render_admin
from paperboy.web.deps import ContextDep

router = APIRouter(prefix=HOME, include_in_schema=False)

RUNS_OF_EACH_KIND = 3


@router.get("")
def show_overview(request: Request, context: ContextDep, operator: SignedIn) -> Response:
    """What needs attention first, then the issues and the last runs."""
    with read_only(context.database) as session:
        return render_admin(
            request,
            "overview.html",
            operator=operator,
            items=attention_items(session, context.clock(), context.settings.bounce_alarm),
            issues=all_issues(session),
            runs=latest_runs(session, RUNS_OF_EACH_KIND),
            local=context.settings.local,
        )
