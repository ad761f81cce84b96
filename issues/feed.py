"""Reads posts from the forum's answers: from its RSS feed, and from a topic's JSON.

This module does not know what is inside a post.
"""

import json
import re
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import feedparser

from issues.fetch import FeedError, Fetched, one_line
from issues.parse.text import clean, safe_url
from issues.posts import Post

# --- RSS ----------------------------------------------------------------------------

# A file server may announce the wrong type or encoding; that says nothing about the feed itself.
_HARMLESS = (feedparser.CharacterEncodingOverride, feedparser.NonXMLContentType)


def read_feed(fetched: Fetched) -> list[Post]:
    """The posts of an RSS feed, oldest first.

    Raises:
        FeedError: the answer is not a feed, is not complete, or has a document type, whose entities could
            expand without end.
    """
    body = fetched.body or b""
    prolog = body[: _length_of_prolog(body)]
    if b"\x00" in body[:4096] or re.search(rb"<!(DOCTYPE|ENTITY)", prolog, re.IGNORECASE):
        raise FeedError(f"{fetched.url} is not a plain RSS feed (it is a web page or has a document type)")
    parsed = feedparser.parse(
        body,
        sanitize_html=False,
        resolve_relative_uris=False,
        response_headers={"content-type": fetched.content_type},
    )
    if parsed.bozo and not isinstance(parsed.bozo_exception, _HARMLESS):
        reason = one_line(parsed.get("bozo_exception", Exception("not well-formed")))
        raise FeedError(f"{fetched.url} is not a complete feed ({reason}): nothing was read")
    if not parsed.get("version"):
        raise FeedError(f"{fetched.url} is not a feed: nothing was read")
    return sorted(
        _posts(parsed.entries),
        key=lambda post: (post.published_at or datetime.max.replace(tzinfo=UTC), post.topic_id),
    )


def _length_of_prolog(body: bytes) -> int:
    """Where the root element begins. A document type can only come before it."""
    found = re.search(rb"<[A-Za-z]", body)
    return found.start() if found else len(body)


def _posts(entries: Sequence[Any]) -> Iterator[Post]:
    for entry in entries:
        link = str(entry.get("link", ""))
        topic = re.search(r"-topic-(\d{1,18})$", str(entry.get("id", ""))) or re.search(
            r"/t/(?:[^/]+/)?(\d{1,18})", link
        )
        if topic and safe_url(link, link):
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
    found = re.fullmatch(r"(.*)/t/(?:[^/]+/)?(\d+)(?:/\d+)?(?:\.json|\.rss)?/?", parts.path)
    if not found or parts.scheme not in {"http", "https"}:
        raise FeedError(f"{url[:200]} is not a topic's address: it should look like https://HOST/t/SLUG/ID")
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{found[1]}/t/{found[2]}.json{query}"


def read_topic(fetched: Fetched) -> Post:
    """The first post in a topic's JSON (Discourse, TopicViewSerializer).

    Raises:
        FeedError: the answer is not such JSON, or lacks the first post.
    """
    try:
        topic = json.loads(fetched.body or b"")
        first = topic["post_stream"]["posts"][0]
        if first["post_number"] != 1:
            raise FeedError(f"{fetched.url} does not hold the topic's first post")
        topic_id = int(re.fullmatch(r"\d{1,18}", str(topic["id"]))[0])  # type: ignore[index]  # caught below
        created = datetime.fromisoformat(first["created_at"])
        # JSON can hold lone surrogates and NUL, which no database accepts.
        html = str(first["cooked"]).encode("utf-8", "replace").decode().replace("\x00", "")
        parts = urlsplit(fetched.url)
        url = f"{parts.scheme}://{parts.netloc}/t/{quote(str(topic['slug']))}/{topic_id}"
        return Post(topic_id, clean(str(topic["title"])), url, html.strip(), created.astimezone(UTC))
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise FeedError(
            f"{fetched.url} is not a topic's JSON ({type(error).__name__}): nothing was read"
        ) from None
