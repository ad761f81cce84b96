"""Writes a block's text runs as escaped inline HTML, for mails and pages."""

from markupsafe import Markup, escape

from issues.parse.text import Block, TextRun


def inline_html(block: Block) -> Markup:
    """The block's runs as escaped inline HTML."""
    return Markup("").join(_run_html(run) for run in block.runs)


def _run_html(run: TextRun) -> Markup:
    html = Markup("<br>").join(escape(line) for line in run.text.split("\n"))
    if run.code:
        html = Markup("<code>{}</code>").format(html)
    if run.italic or run.math:
        html = Markup("<em>{}</em>").format(html)
    if run.bold:
        html = Markup("<strong>{}</strong>").format(html)
    if run.href:
        html = Markup('<a href="{}">{}</a>').format(run.href, html)
    return html
