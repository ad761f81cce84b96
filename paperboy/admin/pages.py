"""Rendering of the operator's pages, in English as the command line is."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from markupsafe import Markup

from paperboy.web.pages import templates


def show(request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """A page; `operator`, if given, is who signed in."""
    values = {"operator": None, **values}
    html = _templates().get_template(f"operator/{template}").render(path=request.url.path, **values)
    return HTMLResponse(html, status_code=status)


@cache
def _templates() -> Environment:
    environment = templates().overlay()
    environment.filters.update(code=_code, figures=_figures)
    return environment


def _code(text: str) -> Markup:
    """A text whose commands stand between backquotes."""
    pieces = re.split("`([^`]*)`", text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if place % 2 else Markup("{}").format(piece)
        for place, piece in enumerate(pieces)
    )


def _figures(result: Mapping[str, Any]) -> str:
    """The figures of a run's result that are more than nothing; a list counts its entries."""
    counts = {name: len(value) if isinstance(value, list) else value for name, value in result.items()}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if type(count) is int and count)
