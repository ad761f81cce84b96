"""Titles: the week in a post's title, the two languages in a paper's; keys that compare titles and addresses."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlsplit, urlunsplit

from issues.parse.text import has_hangul, strip_emoji

_WEEK = re.compile(
    r"\[\s*(\d{4})\s*[/.-]\s*(\d{1,2})\s*[/.-]\s*(\d{1,2})\s*[~～∼〜–—-]\s*"
    r"(?:(?:(\d{4})\s*[/.-]\s*)?(\d{1,2})\s*[/.-]\s*)?(\d{1,2})\s*\]"
)


@dataclass(frozen=True)
class Week:
    """The days that a post covers, both included."""

    start: date
    end: date


def parse_week(title: str) -> Week | None:
    """The week in a weekly post's title, or None when the topic is not a weekly post."""
    title = unicodedata.normalize("NFC", title)
    found = _WEEK.search(title)
    if not found or "논문" not in title:
        return None
    year, month, day, end_year, end_month, end_day = (int(part) if part else 0 for part in found.groups())
    try:
        start = date(year, month, day)
        end = date(end_year or year, end_month or month, end_day)
        if end < start and not end_year:
            end = _one_year_later(end) if end_month else _one_month_later(end)
    except ValueError:
        return None
    return Week(start, end) if start <= end else None


def _one_year_later(day: date) -> date:
    return day.replace(year=day.year + 1)


def _one_month_later(day: date) -> date:
    first_of_next_month = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return first_of_next_month.replace(day=day.day)


def split_title(title: str) -> tuple[str, str]:
    """Korean and English title: the title is cut at the first ` / ` that has no Hangul to its right."""
    for found in re.finditer(r"\s+/\s+", title):
        left, right = title[: found.start()].strip(), title[found.end() :].strip()
        if left and right and not has_hangul(right):
            return left, right
    return (title, "") if has_hangul(title) else ("", title)


def title_key(title: str) -> str:
    """A title without case, punctuation, emoji and spaces, for comparison."""
    return re.sub(r"[\W_]+", "", strip_emoji(title).lower())


def comparable_url(url: str) -> str:
    """An address in a normal form, so that two spellings of the same place are equal.

    The scheme, `www.`, a trailing slash, tracking parameters and arXiv's versions and formats do not count.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    host = {"twitter.com": "x.com", "mobile.twitter.com": "x.com"}.get(host, host)
    path = parts.path.rstrip("/")
    if host in {"arxiv.org", "export.arxiv.org"}:
        host = "arxiv.org"
        path = re.sub(r"^/(?:pdf|html)/", "/abs/", path).removesuffix(".pdf")
        path = re.sub(r"v\d+$", "", path) if path.startswith("/abs/") else path
    query = "&".join(p for p in parts.query.split("&") if p and not re.match(r"(utm_\w+|ref)(=|$)", p))
    port = f":{parts.port}" if parts.port not in {None, 80, 443} else ""
    return urlunsplit(("https", host + port, path, query, ""))
