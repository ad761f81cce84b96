"""What differs from reader to reader in a mail: markers in its place, and filling them in.

A mail is rendered once for all who get the same; each marker is an address no text can hold.
"""

import re
from collections.abc import Mapping

from markupsafe import escape

from emails.rendering.i18n import say

PARTS = ("greeting", "confirm", "move", "preferences", "unsubscribe")


def marker(nonce: str, name: str) -> str:
    """Where a reader's own part goes. No text of the forum can hold it: it names a hash of that text."""
    return f"https://{nonce}.invalid/{name}"


def fill(text: str, nonce: str, values: Mapping[str, str]) -> str:
    """The text with its markers replaced."""
    for name in PARTS:
        text = text.replace(marker(nonce, name), values[name])
    return text


def gaps(text: str, nonce: str) -> tuple[list[str], list[str]]:
    """The texts around the markers, one more than these, and the markers' names."""
    pieces = re.split(re.escape(marker(nonce, "")) + f"({'|'.join(PARTS)})", text)
    return pieces[::2], pieces[1::2]


def greeting(language: str, name: str) -> str:
    """The greeting of one reader as text."""
    return say(language, "greeting", name=name) if name else say(language, "greeting_plain")


def html_greeting(language: str, name: str) -> str:
    """The greeting of one reader, escaped for HTML."""
    return str(escape(greeting(language, name)))
