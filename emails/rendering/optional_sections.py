"""Sections of a rendered mail that can be left out: marked by comments, measured, and kept or removed.

`<!--b7-->…<!--/b7-->` is a section named b7. Several sections can have the same name. None contains another.
"""

import re
from collections import defaultdict
from collections.abc import Callable

from emails.rendering.size import NO_SIZE, HtmlSize, size_of

_SECTION = re.compile(r"<!--([a-z]\d+)-->(.*?)<!--/\1-->", re.DOTALL)


def section_sizes(html: str) -> dict[str, HtmlSize]:
    """The size of all sections with each name together, without the comments around them."""
    found: dict[str, HtmlSize] = defaultdict(lambda: NO_SIZE)
    for section in _SECTION.finditer(html):
        found[section[1]] += size_of(section[2])
    return found


def keep_sections(html: str, is_kept: Callable[[str], bool]) -> str:
    """The mail with only the sections whose name is kept, and without the comments around them."""
    return _SECTION.sub(lambda section: section[2] if is_kept(section[1]) else "", html)
