"""Two texts as one, word by word: what stayed, what went, what came."""

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

_WORDS = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")
MOST_PAIRS = 200_000  # of equal words, which is what comparing costs; beyond, texts are shown as a whole


@dataclass(frozen=True)
class Piece:
    """A stretch of text that stayed, went (`del`) or came (`ins`)."""

    kind: Literal["same", "del", "ins"]
    text: str


def differences(before: str, after: str) -> list[Piece]:
    """The pieces that make `after` of `before`; joined without those of one kind they are the one or the other."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    counts = Counter(new)
    if sum(times * counts[word] for word, times in Counter(old).items()) > MOST_PAIRS:
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
