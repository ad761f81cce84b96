"""Checks the feed: reachable, readable, and with weekly posts that can be parsed. Nothing is stored."""

from collections.abc import Iterator, Sequence

from issues.feed import read_feed
from issues.fetch import FeedError, Validators, fetch
from issues.parse.post import parse
from issues.parse.titles import parse_week
from paperboy.doctor.findings import Finding, failed, ok, warning

NAME = "feed"


def check(url: str, allowed_hosts: Sequence[str]) -> Iterator[Finding]:
    """Read the feed in the same way as an ingest."""
    try:
        posts = read_feed(fetch(url, Validators(), allowed_hosts))
    except FeedError as error:
        remedy = "open PAPERBOY_FEED_URL in a browser; the issues that are stored already stay"
        yield failed(NAME, str(error), remedy)
        return
    weekly = [post for post in posts if parse_week(post.title)]
    if not weekly:
        problem = f"none of its {len(posts)} posts is a weekly post"
        yield failed(NAME, problem, "check that PAPERBOY_FEED_URL is the category with the weekly posts")
        return
    newest = parse(weekly[-1].title, weekly[-1].html, weekly[-1].url)  # posts are sorted, oldest first
    if newest.problems:
        problem = f"the newest weekly post would be held: {'; '.join(newest.problems)}"
        yield warning(NAME, problem, 'see "A held issue" in docs/operating.md')
    else:
        yield ok(NAME, f"{len(weekly)} weekly posts, the newest of {newest.week.start}")
