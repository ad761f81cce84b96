"""The files that never change, and the health check."""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from sqlalchemy import text

from paperboy.web.deps import ContextDep

router = APIRouter(include_in_schema=False)

MAX_AGE_SECONDS = 86_400


def static_file(package: str, name: str, media_type: str) -> Response:
    """A file from the templates of a package, which browsers may cache."""
    content = files(package).joinpath("templates", name).read_text(encoding="utf-8")
    return Response(content, media_type=media_type, headers={"Cache-Control": f"max-age={MAX_AGE_SECONDS}"})


@router.get("/style.css")
def style() -> Response:
    """The style sheet of the pages."""
    return static_file("paperboy.web", "style.css", "text/css")


@router.get("/icon.svg")
def icon() -> Response:
    """The icon of the pages."""
    return static_file("paperboy.web", "icon.svg", "image/svg+xml")


@router.get("/health")
def health(context: ContextDep) -> Response:
    """Whether the pages can reach their database."""
    with context.database.sessions() as session:
        session.execute(text("SELECT 1"))
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})
