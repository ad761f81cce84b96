"""Renders the operators' pages, in the language and the time zone of the settings."""

import re
from datetime import datetime
from functools import cache, partial

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader
from markupsafe import Markup

from core.run_log import counts_of
from core.settings import Settings
from issues.models import Issue
from monitoring.translation import translate
from paperboy.web.deps import web_context
from paperboy.web.pages import templates


def render_admin(request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """A page. `operator`, if it is given, is who has signed in."""
    settings = web_context(request).settings
    language = settings.operator_language
    shown = {
        "operator": None,
        "language": language,
        "path": request.url.path,
        "zone": settings.timezone,
        "_": partial(translate, language),
        "when": partial(_when, settings),
        "when_iso": lambda text: _when(settings, datetime.fromisoformat(text)),
        **values,
    }
    html = _templates().get_template(f"admin/{template}").render(**shown)
    return HTMLResponse(html, status_code=status, headers={"Content-Language": language})


def _when(settings: Settings, moment: datetime | None) -> str:
    """A time as operators read it, in the time zone of the settings; empty if there is none."""
    return f"{settings.local(moment):%Y-%m-%d %H:%M}" if moment else ""


@cache
def _templates() -> Environment:
    web = templates()
    loader = ChoiceLoader(
        [PrefixLoader({"admin": PackageLoader("paperboy.admin")}), PackageLoader("paperboy.web")]
    )
    environment = web.overlay(loader=loader)
    environment.filters = {
        **web.filters,
        "code": _code,
        "counts": counts_of,
        "issue_states": _issue_states,
        "sentence": _sentence,
    }
    return environment


def _code(text: str) -> Markup:
    """A text with the commands between backquotes marked as code."""
    pieces = re.split("`([^`]*)`", text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if index % 2 else Markup("{}").format(piece)
        for index, piece in enumerate(pieces)
    )


def _sentence(text: str) -> str:
    """A text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def _issue_states(issue: Issue) -> list[str]:
    """What an operator must know of an issue, or `in force` if that is all."""
    states = {
        "held": issue.held_revision is not None and issue.revision == 0,
        "an edit is held": issue.held_revision is not None and issue.revision > 0,
        "archive": issue.archived,
        "deleted": issue.deleted_at is not None,
    }
    return [state for state, applies in states.items() if applies] or ["in force"]
