"""Placeholders for what differs between the recipients of a mail, and how they are filled in.

A mail is rendered once for all who get the same. Each placeholder is an address that no text can contain.
"""

import re
from collections.abc import Mapping

from subscribers.tokens import LinkPurpose

GREETING = "greeting"
NAMES = (
    GREETING,
    LinkPurpose.CONFIRM.value,
    LinkPurpose.MOVE.value,
    LinkPurpose.PREFERENCES.value,
    LinkPurpose.UNSUBSCRIBE.value,
)


def placeholder(nonce: str, name: str) -> str:
    """The placeholder with a name. No text of the forum can contain it, since the nonce is a hash of that text."""
    return f"https://{nonce}.invalid/{name}"


def fill_placeholders(text: str, nonce: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders replaced."""
    for name in NAMES:
        text = text.replace(placeholder(nonce, name), values[name])
    return text


def split_at_placeholders(text: str, nonce: str) -> tuple[list[str], list[str]]:
    """The texts around the placeholders, one more than there are placeholders, and the placeholders' names."""
    pieces = re.split(re.escape(placeholder(nonce, "")) + f"({'|'.join(NAMES)})", text)
    return pieces[::2], pieces[1::2]
