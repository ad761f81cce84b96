"""The greeting of a mail, which differs between its recipients."""

from markupsafe import escape

from core.languages import Language
from emails.rendering.i18n import translate


def greeting(language: Language, name: str) -> str:
    """What greets one recipient before the first sentence of a mail, as text; empty if their name is not known."""
    return translate(language, "greeting", name=name) + " " if name else ""


def greeting_html(language: Language, name: str) -> str:
    """The greeting of one recipient, escaped for HTML."""
    return str(escape(greeting(language, name)))
