"""What is answered when a page cannot be: a bad link, a malformed form, a database or Redis that is away."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from limits.errors import StorageError
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from core.database import first_line
from paperboy.web.pages import message_page
from subscribers.tokens import TokenError

logger = logging.getLogger(__name__)

_AWAY = (DatabaseError, InterfaceError, PoolTimeoutError, StorageError)
_OUR_MISTAKE = (DataError, IntegrityError, NotSupportedError, ProgrammingError)  # subclasses of DatabaseError
_RETRY_HEADERS = {"Retry-After": "30", "Cache-Control": "no-store"}


def add_error_handlers(app: FastAPI) -> None:
    """Make the application answer errors in the reader's language."""
    app.add_exception_handler(TokenError, _bad_link)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    for kind in _AWAY:
        app.add_exception_handler(kind, _away)


def is_away(error: Exception) -> bool:
    """Whether the database (even if its file is damaged or full) or Redis is at fault, and not the code."""
    return isinstance(error, _AWAY) and not isinstance(error, _OUR_MISTAKE)


def outage_of(error: Exception) -> str:
    """What is away and why, in one line; without the parameters of statements, which hold addresses."""
    if isinstance(error, StorageError):
        return f"Redis is away: {first_line(error.storage_error)}"
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return f"the database is away: {(str(cause).strip() or type(cause).__name__).splitlines()[0]}"


def _away(request: Request, error: Exception) -> Response:
    if not is_away(error):
        raise error
    # The path is not logged, because it holds a reader's link.
    logger.error("a page is refused: %s", outage_of(error))
    if request.url.path == "/health":
        return JSONResponse({"status": "database away"}, status_code=503, headers=_RETRY_HEADERS)
    if request.url.path.startswith("/api/"):
        detail = {"detail": "away for a moment; try again soon"}
        return JSONResponse(detail, status_code=503, headers=_RETRY_HEADERS)
    answer = message_page(request, "away", status=503)
    answer.headers.update(_RETRY_HEADERS)
    return answer


def _bad_link(request: Request, _: Exception) -> Response:
    return message_page(request, "bad_link", status=404)


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail, headers = getattr(error, "detail", "failed"), getattr(error, "headers", None)
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": detail}, status_code=status, headers=headers)
    if status == 404:
        return message_page(request, "not_found", status=404)
    if status == 400:
        return message_page(request, "bad_form", status=400)
    return PlainTextResponse(f"{detail}\n", status_code=status, headers=headers)


def _invalid_request(request: Request, error: Exception) -> Response:
    """A request that none of our pages sends: an unknown address or a malformed form."""
    if request.url.path.startswith("/api/") and isinstance(error, RequestValidationError):
        # The input is left out, because not all of it can be written as UTF-8.
        details = [{name: entry[name] for name in ("loc", "msg", "type")} for entry in error.errors()]
        return JSONResponse({"detail": details}, status_code=422)
    if request.method == "GET":
        return message_page(request, "not_found", status=404)
    return message_page(request, "bad_form", status=400)
