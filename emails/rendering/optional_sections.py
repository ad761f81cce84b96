"""Pieces of a rendered mail that may be left out: named by comments, measured, kept or cut.

`<!--b7-->…<!--/b7-->` is a piece named b7. A name can stand several times; pieces hold no others.
"""

import re
from collections import defaultdict
from collections.abc import Callable

from emails.rendering.fit import NOTHING, Size, size_of

_PIECE = re.compile(r"<!--([a-z]\d+)-->(.*?)<!--/\1-->", re.DOTALL)


def sizes(html: str) -> dict[str, Size]:
    """What each name takes in the mail, all its pieces together, comments aside."""
    found: dict[str, Size] = defaultdict(lambda: NOTHING)
    for piece in _PIECE.finditer(html):
        found[piece[1]] += size_of(piece[2])
    return found


def cut(html: str, is_kept: Callable[[str], bool]) -> str:
    """The mail with only the pieces whose name is kept, and no comments around them."""
    return _PIECE.sub(lambda piece: piece[2] if is_kept(piece[1]) else "", html)
