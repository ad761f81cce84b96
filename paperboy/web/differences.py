"""Two texts as one, word by word: what stayed, what went, what came."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

_WORDS = re.compile(r"\s+|[^\s\w]|\w+")
MOST_WORDS = 4_000  # of both texts; longer ones are shown as a whole before and after


@dataclass(frozen=True)
class Piece:
    """A stretch of text that stayed, went (`del`) or came (`ins`)."""

    kind: Literal["same", "del", "ins"]
    text: str


def differences(before: str, after: str) -> list[Piece]:
    """The pieces that make `after` of `before`; joined without those of one kind they are the one or the other."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    if len(old) + len(new) > MOST_WORDS:
        return [piece for piece in (Piece("del", before), Piece("ins", after)) if piece.text]
    pieces: list[Piece] = []
    for change, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if change == "equal":
            pieces.append(Piece("same", "".join(old[a:b])))
            continue
        if a < b:
            pieces.append(Piece("del", "".join(old[a:b])))
        if c < d:
            pieces.append(Piece("ins", "".join(new[c:d])))
    return pieces
