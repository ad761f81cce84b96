"""A page to HTML that mail clients show: Jinja, then MJML, then premailer."""

import re
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from mjml import mjml2html
from premailer import Premailer

from emails.rendering.base_view import Page
from issues.parse.readable import inline_html


def to_html(template: str, page: Page) -> str:
    """The page by a template of `emails/templates`, every style inline; nothing is fetched.

    MJML's own style sheets go: they serve several columns and clients that no longer exist.
    """
    mjml = _environment().get_template(template).render(page=page)
    html = _STYLE_SHEET.sub("", mjml2html(mjml, fonts={}))
    # Screen readers find their way by a main landmark; MJML's article is none.
    html = html.replace('aria-roledescription="email" role="article"', 'role="main"', 1)
    html = html.replace("word-spacing:normal;", "", 1)  # Outlook does not know it, and it says nothing
    inlined = Premailer(
        html,
        css_text=_looks(),
        allow_network=False,
        disable_leftover_css=True,
        disable_basic_attributes=["height"],  # a picture has its own
        remove_classes=True,
        cssutils_logging_level=50,
        disable_validation=True,
        strip_important=False,
    ).transform()
    return "<!doctype html>\n" + _SPACE.sub("><", inlined)


_STYLE_SHEET = re.compile(r"(?:<!--\[if lte mso 11\]>)?<style.*?</style>(?:<!\[endif\]-->)?", re.DOTALL)
_SPACE = re.compile(r">\n+<")


@cache
def _looks() -> str:
    return (files("emails") / "templates" / "mail.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(loader=PackageLoader("emails"), autoescape=True, undefined=StrictUndefined)
    environment.filters["inline"] = inline_html
    return environment
