"""What is answered when a page cannot be: a bad link, a form that is none, a database or Redis away."""

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

from paperboy.web.pages import message
from subscribers.tokens import LinkError

logger = logging.getLogger(__name__)

_AWAY = (DatabaseError, InterfaceError, PoolTimeoutError, StorageError)
_OURS = (DataError, IntegrityError, NotSupportedError, ProgrammingError)  # of DatabaseError: what we asked
_SOON = {"Retry-After": "30", "Cache-Control": "no-store"}


def answer_faults(app: FastAPI) -> None:
    """Have the app answer faults in the reader's language."""
    app.add_exception_handler(LinkError, _bad_link)
    app.add_exception_handler(HTTPException, _http_fault)
    app.add_exception_handler(RequestValidationError, _unreadable)
    for kind in _AWAY:
        app.add_exception_handler(kind, _away)


def is_away(fault: Exception) -> bool:
    """Whether the database (a file that is garbled or full, too) or Redis is at fault, and not the code."""
    return isinstance(fault, _AWAY) and not isinstance(fault, _OURS)


def trouble_of(fault: Exception) -> str:
    """What is away and why, in one line without parameters of statements: those hold addresses."""
    if isinstance(fault, StorageError):
        return f"Redis is away: {_first_line(fault.storage_error)}"
    cause = fault.orig if isinstance(fault, DBAPIError) and fault.orig else fault
    return f"the database is away: {_first_line(cause)}"


def _first_line(fault: BaseException) -> str:
    return (str(fault).strip() or type(fault).__name__).splitlines()[0]


def _away(request: Request, fault: Exception) -> Response:
    if not is_away(fault):
        raise fault
    # Without the path: it holds a reader's link.
    logger.error("a page is refused: %s", trouble_of(fault))
    if request.url.path == "/health":
        return JSONResponse({"status": "database away"}, status_code=503, headers=_SOON)
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": "away for a moment; try again soon"}, status_code=503, headers=_SOON)
    answer = message(request, "away", status=503)
    answer.headers.update(_SOON)
    return answer


def _bad_link(request: Request, _: Exception) -> Response:
    return message(request, "bad_link", status=404)


def _http_fault(request: Request, fault: Exception) -> Response:
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": getattr(fault, "detail", "failed")}, status_code=status)
    if status == 404:
        return message(request, "not_found", status=404)
    if status == 400:
        return message(request, "bad_form", status=400)
    headers = getattr(fault, "headers", None)
    return PlainTextResponse(f"{getattr(fault, 'detail', 'failed')}\n", status_code=status, headers=headers)


def _unreadable(request: Request, fault: Exception) -> Response:
    """What no page of ours sends: an address that names nothing, or a form that is none."""
    if request.url.path.startswith("/api/") and isinstance(fault, RequestValidationError):
        # Without the input: not all of it can be written as UTF-8.
        details = [{name: error[name] for name in ("loc", "msg", "type")} for error in fault.errors()]
        return JSONResponse({"detail": details}, status_code=422)
    if request.method == "GET":
        return message(request, "not_found", status=404)
    return message(request, "bad_form", status=400)
