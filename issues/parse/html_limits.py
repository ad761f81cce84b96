"""Limits of a post's HTML, which are checked before it is parsed: any editor's post is far below them."""

import re

from issues.parse.inline import MAX_DEPTH
from issues.parse.text import TextError

MAX_BYTES = 512 * 1024
MAX_OPEN_TAGS = MAX_DEPTH

_OPENING_OR_CLOSING = re.compile(r"<(/?)(?!(?:br|img|hr|p|li|wbr|input|col|source)\b)[a-z]", re.IGNORECASE)


def check_size(html: str) -> None:
    """Check that the HTML can be parsed in a short time.

    Raises:
        TextError: it is larger, or nested more deeply, than any editor would write.
    """
    if len(html.encode("utf-8", "replace")) > MAX_BYTES:
        raise TextError(f"the post is larger than {MAX_BYTES // 1024} KB")
    if _open_tags(html) > MAX_OPEN_TAGS:
        raise TextError("the post's HTML has too many open tags")


def _open_tags(html: str) -> int:
    """About how many tags are open at once at most. The HTML parser's time grows with the square of it."""
    deepest = depth = 0
    for closing in _OPENING_OR_CLOSING.findall(html):
        depth += -1 if closing else 1
        deepest = max(deepest, depth)
    return deepest
