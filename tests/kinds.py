"""Every kind of mail that goes out, made once for all tests that judge finished mails."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from making import HOUSE, NOW, arrivals_of

from emails.digests import issue_edition, preview_mail
from emails.message import Message
from issues.feed import Fetched, Validators, read_feed
from issues.post import parse, parse_week
from paperboy.sample.topics import State, feed_xml, published_topics

HOME = "https://forum.example"
SHARED_FEED = Path(__file__).resolve().parents[2] / "shared/forum/site/base/c/news/14.rss"


class Kind(NamedTuple):
    """A finished mail: its name, its HTML and text, and what the transport sends."""

    name: str
    html: str
    text: str
    message: Message


@cache
def every_kind() -> tuple[Kind, ...]:
    """The digests of the sample posts, and of the shared ones where they are."""
    feeds = {"sample": feed_xml(published_topics(State(), HOME), HOME).encode()}
    if SHARED_FEED.is_file():
        feeds["shared"] = SHARED_FEED.read_bytes()
    return tuple(kind for name, body in feeds.items() for kind in _digests(name, body))


def by_finding(findings: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Which mails each finding is about, from the findings on each: a report that can be read."""
    mails: dict[str, list[str]] = {}
    for name, found in findings.items():
        for finding in found:
            mails.setdefault(finding, []).append(name)
    return mails


def _digests(feed: str, body: bytes) -> Iterator[Kind]:
    for post in read_feed(Fetched(HOME, body, Validators())):
        if parse_week(post.title) is None:
            continue
        papers = arrivals_of(parse(post.title, post.html, post.url))
        for language in ("ko", "en", "both"):
            for frequency in ("weekly", "daily"):
                name = f"{feed}-{post.topic_id}-{language}-{frequency}"
                edition = issue_edition(
                    papers, slot=f"preview:{name}", language=language, frequency=frequency, daily_papers=2
                )
                yield Kind(name, *preview_mail(edition, HOUSE, NOW))
