"""Reads posts from the forum's answers: from its RSS feed, and from a topic's JSON.

This module does not know what is inside a post.
"""

import json
import re
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from urllib.parse import quote, urlsplit

import feedparser

from issues.feed_guard import MAX_CHARACTERS, copy_of_feed
from issues.fetch import FeedError, Fetched, GoneError, one_line, too_slow
from issues.parse.addresses import safe_url
from issues.parse.text import clean
from issues.posts import Post

# --- RSS ----------------------------------------------------------------------------


def read_feed(fetched: Fetched) -> list[Post]:
    """The posts of an RSS feed, oldest first, without authors and tags.

    The feed's `dc:creator` is not the author: it can be a display name, which every member chooses for themselves.

    Raises:
        FeedError: the answer is not a feed, is not complete, has a document type, exceeds a limit of
            `issues.feed_guard`, or reading it takes longer than its deadline.
    """
    copy = copy_of_feed(fetched)
    try:
        # From bytes, feedparser would try to open a file of this name.
        parsed = feedparser.parse(BytesIO(copy), sanitize_html=False, resolve_relative_uris=False)
        # A topic that is there twice would be edited back and forth in every run. The feed begins with its newest state.
        posts = {post.topic_id: post for post in reversed(list(_posts(parsed.entries)))}
    except Exception as error:  # noqa: BLE001  feedparser promises nothing about what it raises
        raise FeedError(f"{fetched.url} could not be read as a feed: {one_line(error)}") from None
    if parsed.bozo:
        raise FeedError(f"{fetched.url} is not a complete feed ({parsed.bozo_exception}): nothing was read")
    if time.monotonic() > fetched.deadline:
        raise too_slow(fetched.url)
    return sorted(
        posts.values(),
        key=lambda post: (post.published_at or datetime.max.replace(tzinfo=UTC), post.topic_id),
    )


_TOPIC_PATH = re.compile(r"(.*)/t/(?:[^/]+/)?(\d+)(?:/\d+)?(?:\.json|\.rss)?/?")


def _posts(entries: Sequence[Any]) -> Iterator[Post]:
    for entry in entries:
        link = str(entry.get("link", ""))
        topic = re.search(r"-topic-(\d{1,18})$", str(entry.get("id", ""))) or re.search(
            r"/t/(?:[^/]+/)?(\d{1,18})", link
        )
        if topic and safe_url(link, link) and _TOPIC_PATH.fullmatch(urlsplit(link).path):
            title, html = clean(str(entry.get("title", ""))), str(entry.get("description", ""))
            published_at = _as_datetime(entry.get("published_parsed"))
            yield Post(int(topic[1]), title, link, _without_feed_footer(html), published_at)


def _as_datetime(published: time.struct_time | None) -> datetime | None:
    try:
        return datetime(*published[:6], tzinfo=UTC) if published else None
    except ValueError:
        return None


_FEED_FOOTER = re.compile(r"<p><small>[^<]*</small></p>\s*<p><a href=\"[^\"<]*\">[^<]*</a></p>$")


def _without_feed_footer(html: str) -> str:
    """The post without the two paragraphs that Discourse's feed appends (topics/show.rss.erb)."""
    return _FEED_FOOTER.sub("", html.strip()).strip()


# --- topic JSON ---------------------------------------------------------------------


def topic_json_url(url: str) -> str:
    """The address of a topic's JSON, from any of the topic's addresses.

    Raises:
        FeedError: the address does not belong to a topic.
    """
    parts = urlsplit(url)
    found = _TOPIC_PATH.fullmatch(parts.path)
    if not found or parts.scheme not in {"http", "https"}:
        raise FeedError(f"{url[:200]} is not a topic's address: it should look like https://HOST/t/SLUG/ID")
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{found[1]}/t/{found[2]}.json{query}"


def read_topic(fetched: Fetched) -> Post:
    """The first post in a topic's JSON (Discourse, TopicViewSerializer), with its author's user name and its tags.

    Raises:
        GoneError: the topic or its first post is deleted.
        FeedError: the answer is not such JSON, lacks the first post, or has a title that is longer than in a feed.
    """
    try:
        topic = json.loads(fetched.body or b"")
        _refuse_deleted(topic, fetched.url)
        first = topic["post_stream"]["posts"][0]
        if first["post_number"] != 1:
            raise FeedError(f"{fetched.url} does not hold the topic's first post")
        _refuse_deleted(first, fetched.url)
        if len(topic["title"]) > MAX_CHARACTERS:
            raise FeedError(f"{fetched.url} has a title of more than {MAX_CHARACTERS} characters")
        topic_id = int(re.fullmatch(r"\d{1,18}", str(topic["id"]))[0])  # type: ignore[index]  # caught below
        parts = urlsplit(fetched.url)
        return Post(
            topic_id,
            clean(str(topic["title"])),
            f"{parts.scheme}://{parts.netloc}/t/{quote(str(topic['slug']), safe='') or '-'}/{topic_id}",
            # JSON can hold lone surrogates and NUL, which no database accepts.
            str(first["cooked"]).encode("utf-8", "replace").decode().replace("\x00", "").strip(),
            datetime.fromisoformat(first["created_at"]).astimezone(UTC),
            _name(first.get("username")),
            _tags(topic.get("tags")),
        )
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError, AttributeError) as error:
        raise FeedError(
            f"{fetched.url} is not a topic's JSON ({type(error).__name__}): nothing was read"
        ) from None


def _refuse_deleted(thing: Any, url: str) -> None:
    """`thing` is a topic or a post. Staff see when it was deleted; a post that its author deleted says so to all."""
    if thing.get("deleted_at") or thing.get("user_deleted"):
        raise GoneError(f"{url} is a topic that has been deleted")


def _tags(tags: Any) -> tuple[str, ...]:
    """The names of the tags, which are objects since 2026 and were plain strings before."""
    names = (tag.get("name") if isinstance(tag, dict) else tag for tag in tags or ())
    return tuple(filter(None, map(_name, names)))


def _name(value: object) -> str:
    return clean(value) if isinstance(value, str) else ""
