"""Feeds that a test writes itself, and what reading them says."""

from issues.feed import read_feed
from issues.fetch import FeedError, Fetched, Validators

URL = "https://forum.example/c/news/14.rss"
XML = "application/rss+xml"
TITLE = "[2025/08/04 ~ 08/10] 논문"
ITEM = f"<item><title>{TITLE}</title><link>https://forum.example/t/a/5</link></item>"


def answer(body: str | bytes, content_type: str = XML, encoding: str = "utf-8") -> Fetched:
    """A response of the forum with this body."""
    return Fetched(URL, body.encode(encoding) if isinstance(body, str) else body, Validators(), content_type)


def rss(inside: str = ITEM, attributes: str = "", before: str = "") -> str:
    """A feed with something inside its channel."""
    return f'{before}<rss version="2.0"{attributes}><channel>{inside}</channel></rss>'


def item(inside: str) -> str:
    """A feed with one item."""
    return rss(f"<item><link>https://forum.example/t/a/5</link>{inside}</item>")


def error_of(fetched: Fetched) -> str:
    """What is wrong with the feed, or an empty text if it can be read."""
    try:
        read_feed(fetched)
    except FeedError as error:
        return str(error)
    return ""


def refusal(fetched: Fetched) -> str:
    """What is wrong with the feed, in one line that names its address."""
    line = error_of(fetched)
    assert line.startswith(URL)
    assert line.isprintable()
    return line
