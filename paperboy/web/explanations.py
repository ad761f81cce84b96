"""The pages that explain: privacy, which every mail links, made from the settings; and help for readers."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from paperboy.web.deps import ContextDep
from paperboy.web.pages import render_page

router = APIRouter(include_in_schema=False)


@router.get("/privacy")
def show_privacy(request: Request, context: ContextDep) -> Response:
    """Who is responsible, what is stored about a subscriber, why, for how long, who else gets it, and their rights."""
    return render_page(request, "privacy.html", processors=context.settings.processors)


@router.get("/help")
def show_help(request: Request) -> Response:
    """Why nothing came, what to do about a wrong text, and how to leave."""
    return render_page(request, "help.html")
