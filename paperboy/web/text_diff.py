"""The differences between two texts, word by word: what stayed, what was deleted, what was inserted."""

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

_WORDS = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")
MAX_EQUAL_PAIRS = 200_000  # of words, which is what comparing costs; longer texts are shown as a whole


@dataclass(frozen=True)
class TextDiff:
    """A piece of text that stayed, was deleted (`del`) or inserted (`ins`)."""

    kind: Literal["same", "del", "ins"]
    text: str


def diff_words(before: str, after: str) -> list[TextDiff]:
    """The pieces that turn `before` into `after`. Without the insertions they are `before`, without the deletions `after`."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    counts = Counter(new)
    if sum(times * counts[word] for word, times in Counter(old).items()) > MAX_EQUAL_PAIRS:
        return [piece for piece in (TextDiff("del", before), TextDiff("ins", after)) if piece.text]
    pieces: list[TextDiff] = []
    for operation, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if operation == "equal":
            pieces.append(TextDiff("same", "".join(old[a:b])))
            continue
        if a < b:
            pieces.append(TextDiff("del", "".join(old[a:b])))
        if c < d:
            pieces.append(TextDiff("ins", "".join(new[c:d])))
    return pieces
