"""Rendering: templates, their language, and the answers that every page can give."""

from functools import cache, partial

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from emails.rendering.subject import days
from issues.parse.readable import inline_html
from paperboy.web.i18n import language_of, say, spell_day


def page(
    request: Request,
    template: str,
    *,
    reader_language: str = "",
    status: int = 200,
    **values: object,
) -> HTMLResponse:
    """A page in the visitor's language."""
    language = language_of(request, reader_language)
    other = "ko" if language == "en" else "en"
    switched = request.url.include_query_params(lang=other)
    html = (
        templates()
        .get_template(template)
        .render(
            language=language,
            other=other,
            other_address=f"{switched.path}?{switched.query}",
            say=partial(say, language),
            **values,
        )
    )
    return HTMLResponse(html, status_code=status, headers={"Content-Language": language})


def message(request: Request, name: str, *, status: int = 200, reader_language: str = "") -> HTMLResponse:
    """A page that says one thing: the phrases `NAME.heading` and `NAME.text`."""
    return page(request, "message.html", status=status, reader_language=reader_language, name=name)


def go(address: str, request: Request, **query: str) -> RedirectResponse:
    """Show another page in the same language: what was posted is done (303, RFC 9110, 15.4.4)."""
    lang = request.query_params.get("lang")
    if lang in {"ko", "en"}:
        query["lang"] = str(lang)
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return RedirectResponse(f"{address}?{asked}" if asked else address, status_code=303)


@cache
def templates() -> Environment:
    """Where the pages' templates are, with what they can say."""
    environment = Environment(
        loader=PackageLoader("paperboy.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = inline_html
    environment.globals.update(days=days, spell_day=spell_day, say_in=say)
    return environment
