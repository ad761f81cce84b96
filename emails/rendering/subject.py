"""The two lines that an inbox shows of a digest: its subject, and the preheader next to it. Pure."""

import re
from collections.abc import Sequence
from datetime import date

from core.languages import Language
from emails.edition import Edition, PaperUnit, days_covered
from emails.rendering.i18n import date_values, translate
from emails.rendering.width import columns, shorten, whole_words

MAX_SUBJECT_COLUMNS = 60  # a Hangul syllable takes two
PREHEADER_CHARACTERS = (85, 130)  # at least and at most
MAX_WORD_CHARACTERS = 40  # a longer word is an address or a mistake, and does not belong into a preheader
MAX_CLEAR_DAYS = 180  # a shorter span names its year only once
_SHORT_NAME = re.compile(r"(.{2,28}?)(?:(?::| [-–—]) |\s?\([^()]*\)$)")


def subject_of(edition: Edition) -> tuple[str, list[PaperUnit]]:
    """The subject (the week, how many papers, the names of the first ones), and the papers that it names.

    Only whole words appear, in at most MAX_SUBJECT_COLUMNS. A name that does not fit is left out.
    """
    start, end = days_covered(edition.issues)
    count = len(edition.papers)
    before, after = translate(
        edition.spec.language,
        f"subject_{edition.occasion}",
        dates=short_dates(edition.spec.language, start, end),
        count=count,
        names="\x00",
    ).split("\x00")
    width = MAX_SUBJECT_COLUMNS - columns(before + after)
    names = [short_name(paper) for paper in edition.papers]
    for number in range(count, 0, -1):
        listed = ", ".join(names[:number])
        if number < count:
            listed += "…"
        if columns(listed) <= width and all(names[:number]):
            return before + listed + after, list(edition.papers[:number])
    first_words = whole_words(names[0], width, columns)
    if first_words:
        return before + first_words + after, list(edition.papers[:1])
    return (before + after).rstrip(" :"), []


def preheader_of(edition: Edition, named: Sequence[PaperUnit]) -> str:
    """What did not fit into the subject: the other papers' titles, then how the first paper begins."""
    titles = [paper.title for paper in edition.papers if paper not in named and paper.title]
    openings = [part.blocks[0].text for part in edition.parts if part.opens]
    text = " · ".join([*titles, *openings[:1], translate(edition.spec.language, "preheader_more")])
    words = [word for word in text.split() if len(word) <= MAX_WORD_CHARACTERS]
    return shorten(" ".join(words), PREHEADER_CHARACTERS[1])


def short_name(paper: PaperUnit) -> str:
    """A paper's short name: its title up to a colon or dash, or without the brackets at its end."""
    title = " ".join(paper.title.split())
    short = _SHORT_NAME.match(title)
    return short[1] if short else title


def short_dates(language: Language, start: date, end: date) -> str:
    """The days in the shortest form that is clear."""
    is_clear = start.year == end.year or (end - start).days < MAX_CLEAR_DAYS
    return translate(language, "dates" if is_clear else "dates_years", **date_values(start, end))


def full_dates(language: Language, start: date, end: date) -> str:
    """The days in full."""
    return translate(language, "days" if start.year == end.year else "days_years", **date_values(start, end))
