"""The week in a weekly post's title, in every way of writing that has only one plausible reading."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

MAX_DAYS = 14  # that a post covers
MAX_DISTANCE = timedelta(days=21)  # between the end of the week and the day of the post
_ABOUT_PAPERS = re.compile(r"논문|\bpapers?\b", re.IGNORECASE)
_DASH = re.compile(r"[~∼〜–—‒―−‐‑﹣→]|\s-\s|부터|\bto\b", re.IGNORECASE)
_DAY_MARK = re.compile(r"\([월화수목금토일]\)|[월화수목금토일]요일|까지|['’‘]")
_SPACED_SIGN = re.compile(r" ?([./년월일,~-]) ?")
_DATES = re.compile(r"\d{1,4}(?:[./년월일,-]+\d{1,4})*[년월일.]*")
MAX_TITLE_CHARACTERS = 500


@dataclass(frozen=True)
class Week:
    """The days that a post covers, both included."""

    start: date
    end: date

    @classmethod
    def beginning(cls, start: date) -> "Week":
        """The seven days from `start`."""
        return cls(start, start + timedelta(days=6))

    @property
    def is_possible(self) -> bool:
        """Whether it ends after it begins, and is no longer than two weeks."""
        return timedelta(0) <= self.end - self.start < timedelta(days=MAX_DAYS)

    def is_near(self, published: date | None) -> bool:
        """Whether it ends near the day of its post."""
        return published is None or abs(self.end - published) <= MAX_DISTANCE

    def overlaps(self, other: "Week") -> bool:
        """Whether two weeks share more days than a mistake by one or two would explain."""
        shared = min(self.end, other.end) - max(self.start, other.start)
        return shared >= timedelta(days=3) or self.start == other.start


def parse_week(title: str, published: date | None = None) -> Week | None:
    """The week in a weekly post's title, or None when the topic is not a weekly post.

    A week without a year is that nearest to `published`.
    """
    return written_week(title, published) if is_about_papers(title) else None


def is_about_papers(title: str) -> bool:
    """Whether a topic's title speaks of papers."""
    return bool(_ABOUT_PAPERS.search(title))


def written_week(title: str, published: date | None = None) -> Week | None:
    """The week that a title writes out, whatever the title is about, or None if it cannot be told.

    A week with its years is told as it is written, even if it ends before it begins or lies far away.
    """
    text = unicodedata.normalize("NFKC", " ".join(title[:MAX_TITLE_CHARACTERS].split()))
    text = _SPACED_SIGN.sub(r"\1", _DASH.sub("~", _DAY_MARK.sub("", text)))
    found = set()
    for numbers in _runs(text):
        readings = set(_readings(numbers, published))
        plausible = {week for week in readings if week.is_possible and week.is_near(published)}
        found |= plausible or {week for week in readings if _has_full_year(numbers)}
    likely = {week for week in found if week.is_possible} or found
    return next(iter(likely)) if len(likely) == 1 else None


def _runs(text: str) -> list[list[int]]:
    """The numbers of each pair of dates that a dash joins; without a pair, of each run of dates."""
    pairs = []
    parts = text.split("~")
    for before, after in pairwise(parts):
        first, second = list(_DATES.finditer(before)), _DATES.match(after)
        if first and second and first[-1].end() == len(before):
            pairs.append(_numbers(first[-1][0]) + _numbers(second[0]))
    return pairs or [_numbers(run) for part in parts for run in _DATES.findall(part)]


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _has_full_year(numbers: list[int]) -> bool:
    return numbers[0] >= 1000


def _readings(numbers: list[int], published: date | None) -> Iterator[Week]:
    """Every week that the numbers can mean. A year is the first number, or missing, or also before the end."""
    match numbers:
        case [year, month, day, end_year, end_month, end_day]:
            yield from _weeks(_year(year), (month, day), _year(end_year), (end_month, end_day))
        case [year, month, day, end_month, end_day]:
            yield from _weeks(_year(year), (month, day), None, (end_month, end_day))
        case [first, second, third, fourth]:
            yield from _weeks(_year(first), (second, third), None, (None, fourth))
            if first < 1000:
                yield from _without_year((first, second), (third, fourth), published)
        case [month, day, end_day] if month < 1000:
            yield from _without_year((month, day), (None, end_day), published)
        case _:
            return


def _year(number: int) -> int | None:
    if number >= 1000:
        return number
    return 2000 + number if number >= 20 else None


def _without_year(
    start: tuple[int, int], end: tuple[int | None, int], published: date | None
) -> Iterator[Week]:
    if published is None:
        return
    for year in (published.year - 1, published.year, published.year + 1):
        for week in _weeks(year, start, None, end):
            if week.is_near(published):
                yield week


def _weeks(
    year: int | None, start: tuple[int, int], end_year: int | None, end: tuple[int | None, int]
) -> Iterator[Week]:
    """The week from its parts, if they are dates. An end without a month or year comes after the start."""
    end_month, end_day = end
    try:
        if year is None:
            return
        first = date(year, *start)
        last = date(end_year or year, end_month or start[0], end_day)
        if last < first and not end_year:
            last = _one_year_later(last) if end_month else _one_month_later(last)
    except ValueError:
        return
    yield Week(first, last)


def _one_year_later(day: date) -> date:
    return day.replace(year=day.year + 1)


def _one_month_later(day: date) -> date:
    first_of_next_month = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return first_of_next_month.replace(day=day.day)
