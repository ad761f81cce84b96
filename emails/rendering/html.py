"""Renders a view to HTML that mail clients show: Jinja, then MJML, then premailer."""

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import escape

from emails.rendering.base_view import MailView
from issues.parse.inline_html import tagged_blocks

if TYPE_CHECKING:
    from jinja2 import Environment

# MJML's own style sheets serve layouts of several columns and clients that no longer exist.
_STYLE_SHEET = re.compile(r"(?:<!--\[if lte mso 11\]>)?<style.*?</style>(?:<!\[endif\]-->)?", re.DOTALL)
_LINE_ENDS_BETWEEN_TAGS = re.compile(r">\n+<")


def render_html(template: str, view: MailView) -> str:
    """The view by a template of `emails/templates`, with every style inline. Nothing is fetched."""
    # Together these take half a second to import, and a process that only sends never renders.
    from mjml import mjml2html  # noqa: PLC0415
    from premailer import Premailer  # noqa: PLC0415

    mjml = _environment().get_template(template).render(view=view)
    html = _STYLE_SHEET.sub("", mjml2html(mjml, fonts={}))
    # MJML writes combining signs and joiners in a title as Rust does (`\u{301}`), so it does not get the title.
    html = html.replace("<title>subject</title>", f"<title>{escape(view.subject)}</title>", 1)
    html = html.replace('aria-label="subject"', f'aria-label="{escape(view.subject)}"', 1)
    # Screen readers navigate by a main landmark, and MJML's article is not a landmark.
    html = html.replace('aria-roledescription="email" role="article"', 'role="main"', 1)
    html = html.replace("word-spacing:normal;", "", 1)  # the default, and Outlook does not know it
    inlined = Premailer(
        html,
        css_text=_css(),
        allow_network=False,
        disable_leftover_css=True,
        disable_basic_attributes=["height"],  # pictures have their own
        remove_classes=True,
        cssutils_logging_level=50,
        disable_validation=True,
        strip_important=False,
    ).transform()
    return "<!doctype html>\n" + _LINE_ENDS_BETWEEN_TAGS.sub("><", inlined)


@cache
def _css() -> str:
    return (files("emails") / "templates" / "mail.css").read_text(encoding="utf-8")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415  see above

    environment = Environment(loader=PackageLoader("emails"), autoescape=True, undefined=StrictUndefined)
    environment.filters["tagged"] = tagged_blocks
    return environment
