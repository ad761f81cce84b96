"""The page that every mail links: what is stored about a subscriber, why, for how long, and what they can do about it."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from paperboy.web.pages import render_page

router = APIRouter(include_in_schema=False)


@router.get("/privacy")
def show_privacy(request: Request) -> Response:
    """The page, in the visitor's language."""
    return render_page(request, "privacy.html")
