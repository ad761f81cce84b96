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
_TAG = re.compile(r"<[a-z][^<>]*>")  # in a text, `<` is escaped
_CLASSES = re.compile(r' class="([^"]*)"')
_CLASS_IN_STYLES = re.compile(r"\.([a-z]+)")


def render_html(template: str, view: MailView) -> str:
    """The view by a template of `emails/templates`, with every style that matters inline. Nothing is fetched."""
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
        css_text=_template_file("mail.css"),
        allow_network=False,
        disable_leftover_css=True,
        disable_basic_attributes=["height"],  # pictures have their own
        cssutils_logging_level=50,
        disable_validation=True,
        strip_important=False,
    ).transform()
    html = inlined.replace("</head>", f"{_enhancements()}</head>", 1)
    return "<!doctype html>\n" + _LINE_ENDS_BETWEEN_TAGS.sub("><", _TAG.sub(_with_used_classes, html))


def _with_used_classes(tag: re.Match[str]) -> str:
    return _CLASSES.sub(_used_classes, tag[0])


def _used_classes(attribute: re.Match[str]) -> str:
    """The attribute with only those classes that the style sheet in the mail knows."""
    names = [name for name in attribute[1].split() if name in _enhanced_classes()]
    return f' class="{" ".join(names)}"' if names else ""


@cache
def _enhanced_classes() -> frozenset[str]:
    return frozenset(_CLASS_IN_STYLES.findall(_enhancements()))


@cache
def _enhancements() -> str:
    """The style sheet that may be lost, without comments and spaces that cost bytes."""
    css = re.sub(r"/\*.*?\*/", "", _template_file("enhancements.css"), flags=re.DOTALL)
    css = re.sub(r"\s*([{};:,>])\s*", r"\1", css).replace(";}", "}").strip()
    scheme = '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">'
    return f"{scheme}<style>{css}</style>"


@cache
def _template_file(name: str) -> str:
    return (files("emails") / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415  see above

    environment = Environment(loader=PackageLoader("emails"), autoescape=True, undefined=StrictUndefined)
    environment.filters["tagged"] = tagged_blocks
    return environment
