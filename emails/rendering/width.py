"""Text by its width: columns on a screen, lines wrapped between words, texts shortened."""

import unicodedata
from collections.abc import Callable


def columns(text: str) -> int:
    """The width of a text on a screen of fixed columns (Unicode, East Asian Width)."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def wrap(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """The text in lines of at most `width` columns, broken between words only.

    `first` begins the first line, `rest` every other one. A word wider than a line stands alone.
    """
    lines: list[str] = []
    line, used, is_empty = first, columns(first), True
    for word in text.split():
        grown = used + columns(word) + (0 if is_empty else 1)
        if grown > width and not is_empty:
            lines.append(line)
            line, used, is_empty = rest, columns(rest), True
            grown = used + columns(word)
        line += word if is_empty else f" {word}"
        used, is_empty = grown, False
    return [*lines, line.rstrip()]


def shorten(text: str, width: int) -> str:
    """The text within `width` characters, cut between words and marked so; one long word is cut inside."""
    text = " ".join(text.split())
    if len(text) <= width:
        return text
    return whole_words(text, width) or text[: width - 1] + "…"


def whole_words(text: str, width: int, measure: Callable[[str], int] = len) -> str:
    """As many whole words as `width` holds together with the sign that more follow; perhaps none."""
    kept = ""
    for word in text.split():
        grown = f"{kept} {word}".lstrip()
        if measure(grown.rstrip(" ,:;-")) + 1 > width:
            break
        kept = grown
    kept = kept.rstrip(" ,:;-")
    return f"{kept}…" if kept else ""
