"""Limits of a post's HTML, which are checked before it is parsed: any editor's post is far below them."""

import re

from issues.parse.inline import MAX_DEPTH
from issues.parse.text import TextError

MAX_BYTES = 512 * 1024
MAX_OPEN_TAGS = MAX_DEPTH
MAX_ATTRIBUTE_CHARACTERS = 8_000  # of one tag
MAX_ELEMENTS = 150_000

# Tags as every editor writes them. No value and no comment holds a `<`, so whatever the HTML parser may take for a tag is
# seen here too, also in a script or a text area.
_SPACE = r"[ \t\n\f\r]"
_TAG = re.compile(
    r"<(?:(?P<comment>!--(?:[^<>-]|-(?!->))*+-->)"
    r"|(?P<closing>/?)(?P<name>[a-z][a-z0-9:-]*+)"
    rf"(?P<attributes>(?:{_SPACE}++[^\s\"'<>/=]++(?:{_SPACE}*+={_SPACE}*+(?:\"[^\"<]*+\"|'[^'<]*+'|[^\s\"'<>=`]++))?+)*+)"
    rf"{_SPACE}*+/?>"
    r"|(?P<odd>[a-z/!?]))",
    re.IGNORECASE | re.ASCII,
)
_WITHOUT_END = {"br", "img", "hr", "p", "li", "wbr", "input", "col", "source"}
# The parser opens these again in each block that follows, if they are not closed in theirs (HTML, 13.2.4.3).
_REOPENED = {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}


def check_size(html: str) -> None:
    """Check that the HTML can be parsed in a short time and in little memory.

    Raises:
        TextError: it is larger, or nested more deeply, than any editor would write.
    """
    if len(html.encode("utf-8", "replace")) > MAX_BYTES:
        raise TextError(f"the post is larger than {MAX_BYTES // 1024} KB")
    open_tags: list[str] = []
    reopened = elements = 0
    for found in _TAG.finditer(html):
        if found["comment"]:
            continue
        if found["odd"] or len(found["attributes"]) > MAX_ATTRIBUTE_CHARACTERS:
            raise TextError(f"the post has a tag that no editor writes: {html[found.start() :][:40]!r}")
        name = found["name"].lower()
        elements += 1 + reopened
        if name in _WITHOUT_END:
            continue
        if not found["closing"]:
            open_tags.append(name)
            reopened += name in _REOPENED
        elif name in open_tags:
            reopened -= name in _REOPENED and open_tags[-1] == name
            while open_tags.pop() != name:
                pass
        if len(open_tags) > MAX_OPEN_TAGS:
            raise TextError("the post's HTML has too many open tags")
    if elements > MAX_ELEMENTS:
        raise TextError(f"the post's HTML has more than {MAX_ELEMENTS} elements")
