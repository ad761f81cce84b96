"""The subject of a digest, the preheader that an inbox shows beside it, and the headline at the top of the mail. Pure."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date

from core.languages import Language
from emails.edition import Edition, PaperUnit, days_covered
from emails.rendering.i18n import date_values, translate
from emails.rendering.width import columns, shorten, whole_words

MAX_SUBJECT_COLUMNS = 60  # a Hangul syllable takes two
MAX_HEADLINE_COLUMNS = 72
MAX_NAMES = 3
MAX_NAME_COLUMNS = 30  # of one among several
MAX_WORDS_OF_COINED = 2
PREHEADER_CHARACTERS = (85, 130)  # inboxes show at least the first number of them, and at most the second
MAX_WORD_CHARACTERS = 40  # a longer word is an address or a mistake, and does not belong into a preheader
MAX_CLEAR_DAYS = 180  # a shorter span names its year only once
# What shows that a name was coined, as in `CoRT`, `HRM`, `Kimi K2`, `iw-SFT` and `Optima`.
_COINED = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2}|\d|-|^[A-Z][a-z]+$")
_NAMES = "\x00"


def subject_of(edition: Edition) -> str:
    """The subject: the names of some papers, how many more there are, and the week; in at most MAX_SUBJECT_COLUMNS."""
    language = edition.spec.language
    dates = short_dates(language, *days_covered(edition.issues))
    before, after = translate(language, f"subject_{edition.occasion}", names=_NAMES, dates=dates).split(
        _NAMES
    )
    width = MAX_SUBJECT_COLUMNS - columns(before + after)
    return " ".join(f"{before}{_line_of_names(edition, width)}{after}".split())


def headline_of(edition: Edition) -> str:
    """The headline: the same names with more room, but none that is cut, because the titles follow it."""
    if any(paper.short_name for paper in edition.papers):
        return _fitting(edition, _short_names(edition), MAX_HEADLINE_COLUMNS)
    return _line_of_names(edition, MAX_HEADLINE_COLUMNS)


def _line_of_names(edition: Edition, width: int) -> str:
    """The names of the first papers that have one, and how many papers there are besides; whole words only."""
    return _fitting(edition, _names(edition), width)


def _fitting(edition: Edition, names: Sequence[str], width: int) -> str:
    """As many of the names as fit, and how many papers there are besides."""
    for number in range(min(len(names), MAX_NAMES), 0, -1):
        text = _listed(edition, names[:number])
        if columns(text) <= width:
            return text
    room = width - columns(_listed(edition, [""]))
    return _listed(edition, [whole_words(names[0], room, columns) or names[0][: max(room // 2 - 1, 1)] + "…"])


def _names(edition: Edition) -> list[str]:
    """Up to MAX_NAMES names of papers in their order. In a mail of few papers, a title takes the place of a missing name."""
    if len(edition.papers) <= MAX_NAMES:
        titles = [paper.short_name or _title(edition, paper) for paper in edition.papers]
        if len(titles) > 1:
            titles = [title if columns(title) <= MAX_NAME_COLUMNS else _beginning(title) for title in titles]
        return titles
    return _short_names(edition) or [_title(edition, edition.papers[0])]


def _short_names(edition: Edition) -> list[str]:
    """Up to MAX_NAMES short names in the papers' order. Coined names come before others, because people know papers by them."""
    named = [paper for paper in edition.papers if paper.short_name]
    by_renown = sorted(named, key=lambda paper: not _is_coined(paper.short_name))
    chosen = by_renown[:MAX_NAMES]
    return [paper.short_name for paper in named if paper in chosen]


def _beginning(title: str) -> str:
    """As many whole words of a title as a name may have."""
    return whole_words(title, MAX_NAME_COLUMNS, columns) or f"{title[: MAX_NAME_COLUMNS // 2 - 1]}…"


def _is_coined(name: str) -> bool:
    return len(name.split()) <= MAX_WORDS_OF_COINED and bool(_COINED.search(name))


def _listed(edition: Edition, names: Sequence[str]) -> str:
    others = len(edition.papers) - len(names)
    listed = ", ".join(names)
    return (
        translate(edition.spec.language, "names_and_more", names=listed, count=others) if others else listed
    )


def _title(edition: Edition, paper: PaperUnit) -> str:
    return " ".join(paper.title.split()) or translate(edition.spec.language, "untitled")


def preheader_of(edition: Edition) -> str:
    """What the papers do: the first gists, or else titles and how the first text begins."""
    text = ""
    for piece in _pieces(edition):
        text = f"{text} · {piece}" if text else piece
        if len(text) >= PREHEADER_CHARACTERS[0]:
            break
    return shorten(text, PREHEADER_CHARACTERS[1])


def _pieces(edition: Edition) -> Iterator[str]:
    candidates: list[Callable[[PaperUnit], str]] = [
        lambda paper: paper.gists[0].text if paper.gists else "",
        lambda paper: paper.title,
        lambda paper: paper.subtitle,
        lambda paper: next((part.blocks[0].text for part in paper.parts if part.opens), ""),
    ]
    for piece_of in candidates:
        for paper in edition.papers:
            words = [word for word in piece_of(paper).split() if len(word) <= MAX_WORD_CHARACTERS]
            if words:
                yield " ".join(words)


def short_dates(language: Language, start: date, end: date) -> str:
    """The days in the shortest form that is clear."""
    is_clear = start.year == end.year or (end - start).days < MAX_CLEAR_DAYS
    return translate(language, "dates" if is_clear else "dates_years", **date_values(start, end))


def full_dates(language: Language, start: date, end: date) -> str:
    """The days in full."""
    return translate(language, "days" if start.year == end.year else "days_years", **date_values(start, end))
