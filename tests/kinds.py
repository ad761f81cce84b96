"""Every kind of mail that goes out, made once for all tests that judge finished mails."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from making import HOUSE, NOW, arrivals_of

from emails.previews import Preview, issue_previews, letter_previews
from issues.feed import Fetched, Validators, read_feed
from issues.post import parse, parse_week
from paperboy.sample.topics import State, feed_xml, published_topics

HOME = "https://forum.example"
SHARED_FEED = Path(__file__).resolve().parents[2] / "shared/forum/site/base/c/news/14.rss"
WHOLE = 9655  # the sample post that is shown in every kind; the others differ in their texts only


@cache
def every_kind() -> tuple[Preview, ...]:
    """Each letter, each kind of digest of one sample post, and each post's weekly digest."""
    feeds = {"sample": feed_xml(published_topics(State(), HOME), HOME).encode()}
    if SHARED_FEED.is_file():
        feeds["shared"] = SHARED_FEED.read_bytes()
    digests = [digest for feed, body in feeds.items() for digest in _digests(feed, body)]
    return (*letter_previews(HOUSE, NOW), *digests)


def summary(findings: Mapping[str, Iterable[str]]) -> str:
    """The findings on each mail, as a report: a line for each finding, with the mails it is about."""
    mails: dict[str, list[str]] = {}
    for name, found in findings.items():
        for finding in found:
            mails.setdefault(finding, []).append(name)
    return "\n".join(f"{finding} ({len(names)}: {', '.join(names)})" for finding, names in mails.items())


def _digests(feed: str, body: bytes) -> Iterator[Preview]:
    for post in read_feed(Fetched(HOME, body, Validators())):
        if parse_week(post.title) is None:
            continue
        *papers, last = arrivals_of(parse(post.title, post.html, post.url))
        for mail in issue_previews([*papers, replace(last, late=True)], HOUSE, NOW, daily_papers=2):
            if post.topic_id == WHOLE or mail.name.startswith("weekly"):
                yield replace(mail, name=f"{feed}-{post.topic_id}-{mail.name}")
