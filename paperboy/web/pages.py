"""Renders the pages: templates, their language, and the answers that every page can give."""

from functools import cache, partial

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language, TextLanguage
from emails.rendering.subject import full_dates
from paperboy.web.deps import web_context
from paperboy.web.i18n import format_day, page_language, translate
from paperboy.web.private_paths import is_private


def render_page(
    request: Request,
    template: str,
    *,
    subscriber_language: Language | None = None,
    status: int = 200,
    **values: object,
) -> HTMLResponse:
    """A page in the visitor's language."""
    language = page_language(request, subscriber_language)
    context = web_context(request)
    identity = context.identity
    others = [other for other in TextLanguage if other != language]
    html = (
        templates()
        .get_template(template)
        .render(
            language=language,
            other_languages=[(other, _address_in(other, request)) for other in others],
            identity=identity,
            base=context.settings.base_url,
            path=request.url.path,
            is_public=not is_private(request.url.path) and status == 200,
            t=partial(translate, language, forum=identity.forum_names[language]),
            **{"head": None, **values},
        )
    )
    return HTMLResponse(html, status_code=status, headers={"Content-Language": language})


def _address_in(language: TextLanguage, request: Request) -> str:
    switched = request.url.include_query_params(lang=language)
    return f"{switched.path}?{switched.query}"


def message_page(
    request: Request, name: str, *, status: int = 200, subscriber_language: Language | None = None
) -> HTMLResponse:
    """A page with a single message: the phrases `NAME.heading` and `NAME.text`."""
    return render_page(
        request, "message.html", status=status, subscriber_language=subscriber_language, name=name
    )


def redirect(address: str, request: Request, **query: str) -> RedirectResponse:
    """Lead to another page in the same language after a POST (303, RFC 9110, 15.4.4)."""
    lang = request.query_params.get("lang")
    if lang in list(TextLanguage):
        query["lang"] = str(lang)
    parameters = "&".join(f"{name}={value}" for name, value in query.items())
    return RedirectResponse(f"{address}?{parameters}" if parameters else address, status_code=303)


@cache
def templates() -> Environment:
    """The environment of the pages' templates."""
    environment = Environment(
        loader=PackageLoader("paperboy.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        full_dates=full_dates,
        format_day=format_day,
        t_in=translate,
        languages=tuple(Language),
        frequencies=tuple(Frequency),
        details=tuple(Detail),
    )
    return environment
