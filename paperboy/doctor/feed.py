"""Checks the feed: reachable, readable, and with weekly posts that can be parsed. Nothing is stored."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from issues.feed import read_feed
from issues.fetch import FeedError, Validators, fetch
from issues.recognition import recognize
from issues.store import read_post
from monitoring.findings import Finding, failed, ok, warning

NAME = "feed"


def check(url: str, allowed_hosts: Sequence[str]) -> Iterator[Finding]:
    """Read the feed in the same way as an ingest."""
    try:
        posts = read_feed(fetch(url, Validators(), allowed_hosts))
    except FeedError as error:
        remedy = "open PAPERBOY_FEED_URL in a browser; the issues that are stored already stay"
        yield failed(NAME, str(error), remedy)
        return
    now = datetime.now(UTC)
    weekly = [found for post in posts if (found := recognize(post, now))]
    if not weekly:
        problem = f"none of its {len(posts)} posts is a weekly post"
        yield failed(NAME, problem, "check that PAPERBOY_FEED_URL is the category with the weekly posts")
        return
    found = weekly[-1]  # posts are sorted, oldest first
    newest = read_post(found.post, found.week)
    if problems := [*newest.problems, *([found.problem] if found.problem else [])]:
        problem = f"the newest weekly post would be held: {'; '.join(problems)}"
        yield warning(NAME, problem, 'see "A held issue" in docs/operating.md')
    else:
        yield ok(NAME, f"{len(weekly)} weekly posts, the newest of {newest.week.start}")
