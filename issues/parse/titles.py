"""Titles: the two languages in a paper's title, and a key that compares titles. Weeks are in `issues.parse.weeks`."""

import re

from issues.parse.text import HANGUL, has_hangul, strip_emoji

# A slash counts if a space stands beside it, or if it joins a Korean word to several Latin ones.
_SLASH = re.compile(r"\s[/／]\s?|[/／]\s|(?<=[가-힣])[/／](?=\S+\s)")


def split_title(title: str) -> tuple[str, str]:
    """Korean and English title: the title is cut at the first slash that has no Hangul to its right.

    A slash without a space beside it counts only between Hangul and several Latin words. A title that has a slash and
    only one language stays whole, and so does a pair of words like `Read / Write`.
    """
    if not has_hangul(title):
        return "", title
    last_hangul = max(found.end() for found in HANGUL.finditer(title))
    for found in _SLASH.finditer(title, last_hangul):
        left, right = title[: found.start()].strip(), title[found.end() :].strip()
        if right and not _is_pair(left, right):
            return left, right
    return title, ""


def _is_pair(left: str, right: str) -> bool:
    """Whether the slash joins two Latin words at the end of a Korean title, as in `기억의 Read / Write`."""
    word = left.rsplit(None, 1)[-1]
    return " " not in right and word.isascii() and word.isalnum() and word.lower() != right.lower()


def title_key(title: str) -> str:
    """A title without case, punctuation, emoji and spaces, for comparison."""
    return re.sub(r"[\W_]+", "", strip_emoji(title).lower())
