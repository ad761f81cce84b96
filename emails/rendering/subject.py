"""The two lines that an inbox shows of a digest: its subject, and the preheader beside it. Pure."""

import re
from collections.abc import Sequence
from datetime import date

from emails.edition import Edition, PaperUnit, subject_week
from emails.rendering.i18n import day_values, say
from emails.rendering.width import columns, shorten, whole_words

SUBJECT_WIDTH = 60  # columns of a screen; a Hangul syllable takes two
PREHEADER = (85, 130)  # characters, the least and the most
_LONGEST_WORD = 40  # what is longer is an address or a mistake, and no word for a preheader
_SHORT_NAME = re.compile(r"(.{2,28}?)(?:(?::| [-–—]) |\s?\([^()]*\)$)")


def subject_of(edition: Edition) -> tuple[str, list[PaperUnit]]:
    """What is new: the week, how many papers, the names of the first; and the papers it names.

    Whole words only, in SUBJECT_WIDTH columns; a name that finds no room is left out.
    """
    start, end = subject_week(edition.issues)
    count = len(edition.papers)
    before, after = say(
        edition.language,
        f"subject_{edition.occasion}",
        dates=dates(edition.language, start, end),
        count=count,
        names="\x00",
    ).split("\x00")
    width = SUBJECT_WIDTH - columns(before + after)
    names = [name_of(paper) for paper in edition.papers]
    for number in range(count, 0, -1):
        listed = ", ".join(names[:number])
        if number < count:
            listed += "…"
        if columns(listed) <= width and all(names[:number]):
            return before + listed + after, list(edition.papers[:number])
    cut = whole_words(names[0], width, columns)
    if cut:
        return before + cut + after, list(edition.papers[:1])
    return (before + after).rstrip(" :"), []


def preheader_of(edition: Edition, named: Sequence[PaperUnit]) -> str:
    """What the subject has no room for: the other papers, then how the first one begins."""
    titles = [paper.title for paper in edition.papers if paper not in named and paper.title]
    openings = [part.blocks[0].text for paper in edition.papers for part in paper.parts[:1]]
    said = " · ".join([*titles, *openings[:1], say(edition.language, "preheader_more")])
    words = [word for word in said.split() if len(word) <= _LONGEST_WORD]
    return shorten(" ".join(words), PREHEADER[1])


def name_of(paper: PaperUnit) -> str:
    """A paper's name in brief: its title up to a colon, or up to brackets that end it."""
    title = " ".join(paper.title.split())
    short = _SHORT_NAME.match(title)
    return short[1] if short else title


def dates(language: str, start: date, end: date) -> str:
    """The days in the shortest form that is clear."""
    is_clear = start.year == end.year or (end - start).days < 180
    return say(language, "dates" if is_clear else "dates_years", **day_values(start, end))


def days(language: str, start: date, end: date) -> str:
    """The days in full."""
    return say(language, "days" if start.year == end.year else "days_years", **day_values(start, end))
