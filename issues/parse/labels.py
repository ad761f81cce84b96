"""The labels inside a weekly post (`논문 소개`, …), in the words that posts have used and in near ones."""

import re
import unicodedata
from typing import Literal

from issues.parse.text import strip_emoji

MAX_LABEL_CHARACTERS = 40

Label = Literal["intro", "abstract", "link", "more", "source", "summary", "overview"]

CORE_LABELS: frozenset[Label] = frozenset({"intro", "abstract", "link"})
PAPER_LABELS: frozenset[Label] = CORE_LABELS | {"more"}

# Without spaces and punctuation, in lower case.
_LABELS: dict[str, Label] = {
    **dict.fromkeys(("논문소개", "논문개요", "introduction", "paperintroduction"), "intro"),
    **dict.fromkeys(
        ("논문초록(abstract)", "논문초록", "초록(abstract)", "초록", "abstract", "abstract(초록)", "paperabstract"),
        "abstract",
    ),
    **dict.fromkeys(("논문링크", "논문주소", "paperlink", "paperlinks", "linktopaper", "linktothepaper"), "link"),
    **dict.fromkeys(
        ("더읽어보기", "더알아보기", "참고링크", "관련링크", "furtherreading", "readmore", "morelinks", "seealso"),
        "more",
    ),
    **dict.fromkeys(("원문", "원문보기", "출처", "source", "originalpost"), "source"),
    **dict.fromkeys(
        ("논문별핵심요약", "논문별요약", "논문별한줄요약", "한줄요약", "papersataglance", "keypointsofeachpaper"),
        "summary",
    ),
    **dict.fromkeys(
        ("이번주동향", "이번주의동향", "이번주흐름", "이번주의흐름", "이번주개요", "개요", "들어가며", "overview"),
        "overview",
    ),
}  # fmt: skip


_BRACKET = re.compile(r"\([^()]*\)$")  # `논문 소개 (Introduction)`


def label_of(text: str) -> Label | None:
    """The part that a line announces, also in both languages. Emoji, spaces and punctuation around it do not count."""
    if len(text) > MAX_LABEL_CHARACTERS:
        return None
    words = strip_emoji(unicodedata.normalize("NFKC", text)).lower()
    labels = {_label_of_letters(re.sub(r"[^\w()]+", "", part)) for part in words.split("/")}
    return labels.pop() if len(labels) == 1 else None


def _label_of_letters(letters: str) -> Label | None:
    letters = letters.lstrip("0123456789")
    return _LABELS.get(letters) or _LABELS.get(_BRACKET.sub("", letters))
