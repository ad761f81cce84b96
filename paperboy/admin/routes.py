"""Adds the operators' pages to the web application."""

from fastapi import FastAPI

from paperboy.admin import (
    auth,
    bounces,
    issue_actions,
    issues,
    mails,
    notes,
    overview,
    previews,
    resend,
    statistics,
    subscriber_actions,
    subscribers,
)
from paperboy.admin.auth import ForbiddenActionError, NotSignedInError, show_error, to_login
from paperboy.web.static import static_file

ROUTERS = (
    auth,
    overview,
    issues,
    issue_actions,
    notes,
    mails,
    bounces,
    subscribers,
    subscriber_actions,
    previews,
    statistics,
    resend,
)


def add_admin(app: FastAPI) -> None:
    """Add the pages, their style sheet, and the answers to their errors."""
    for module in ROUTERS:
        app.include_router(module.router)
    app.add_exception_handler(NotSignedInError, to_login)
    app.add_exception_handler(ForbiddenActionError, show_error)
    app.add_api_route(
        "/operator.css",
        lambda: static_file("paperboy.admin", "operator.css", "text/css"),
        include_in_schema=False,
    )
