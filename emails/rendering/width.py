"""Text by its width: columns on a screen, lines wrapped between words, and shortened texts."""

import unicodedata
from collections.abc import Callable


def columns(text: str) -> int:
    """The width of a text in the columns of a terminal (Unicode, East Asian Width)."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def wrap(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """The text in lines of at most `width` columns, broken only between words.

    `first` is the prefix of the first line, `rest` of every other. A word wider than a line gets its own line.
    """
    lines: list[str] = []
    line, used, is_empty = first, columns(first), True
    for word in text.split():
        needed = used + columns(word) + (0 if is_empty else 1)
        if needed > width and not is_empty:
            lines.append(line)
            line, used, is_empty = rest, columns(rest), True
            needed = used + columns(word)
        line += word if is_empty else f" {word}"
        used, is_empty = needed, False
    return [*lines, line.rstrip()]


def shorten(text: str, width: int) -> str:
    """The text in at most `width` characters, cut between words with an ellipsis. A single long word is cut inside."""
    text = " ".join(text.split())
    if len(text) <= width:
        return text
    return whole_words(text, width) or text[: width - 1] + "…"


def whole_words(text: str, width: int, measure: Callable[[str], int] = len) -> str:
    """As many whole words as fit into `width` together with the ellipsis; perhaps none."""
    kept = ""
    for word in text.split():
        candidate = f"{kept} {word}".lstrip()
        if measure(candidate.rstrip(" ,:;-")) + 1 > width:
            break
        kept = candidate
    kept = kept.rstrip(" ,:;-")
    return f"{kept}…" if kept else ""
