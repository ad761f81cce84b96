"""Posts are read from the feed and from a topic's JSON completely, or not at all."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from issues.feed import read_feed, read_topic, topic_json_url
from issues.fetch import FeedError, Fetched, GoneError, Validators, fetch
from paperboy.demo.sample.data import weeks
from paperboy.demo.sample.forum import Forum
from paperboy.demo.sample.topics import NEWS_TOPIC_ID

ALLOWED = ("127.0.0.1",)
UNKNOWN = Validators()

# --- RSS ----------------------------------------------------------------------------


def test_a_feed_is_read_as_its_posts_with_the_oldest_first(forum: Forum) -> None:
    posts = read_feed(fetch(forum.feed_url, UNKNOWN, ALLOWED))
    assert [post.topic_id for post in posts] == [NEWS_TOPIC_ID, *(week.topic_id for week in weeks())]
    for post, week in zip(posts[1:], weeks(), strict=True):
        assert (post.title, post.published_at) == (week.title, week.created_at)
        assert post.url == f"{forum.origin}/t/{week.slug}/{week.topic_id}"


def test_the_lines_that_the_feed_appends_to_a_post_are_removed(forum: Forum) -> None:
    without_replies = read_feed(fetch(forum.feed_url, UNKNOWN, ALLOWED))
    forum.state.replies = {post.topic_id: 3 for post in without_replies}
    with_replies = read_feed(fetch(forum.feed_url, UNKNOWN, ALLOWED))
    assert with_replies == without_replies
    assert len(with_replies) == len(forum.state.replies) > 0
    assert all("게시물" not in post.html and "전체 주제 읽기" not in post.html for post in with_replies)


def test_a_topic_gives_the_same_post_as_the_feed(forum: Forum) -> None:
    posts = read_feed(fetch(forum.feed_url, UNKNOWN, ALLOWED))
    for post in posts:
        topic_post = read_topic(fetch(topic_json_url(post.url), UNKNOWN, ALLOWED))
        assert topic_post.author
        assert replace(topic_post, author="", tags=()) == post


def test_a_feed_is_read_whatever_content_type_its_server_names(forum: Forum) -> None:
    good = fetch(forum.feed_url, UNKNOWN, ALLOWED)
    for content_type in ("", "application/octet-stream", "text/xml", "text/plain"):
        assert read_feed(replace(good, content_type=content_type)) == read_feed(good)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"{}",
        b"\x00\x01\x02",
        b"<html><body>x</body></html>",
        b"<?xml version='1.0'?><data/>",
        "<!DOCTYPE rss><rss version='2.0'/>".encode("utf-16"),
    ],
)
def test_an_answer_that_is_not_a_feed_is_refused(body: bytes) -> None:
    with pytest.raises(FeedError, match=r"^https://forum\.example/ "):
        read_feed(Fetched("https://forum.example/", body, UNKNOWN, "application/rss+xml"))


def item(link: str = "https://forum.example/t/a/5", date: str = "Mon, 04 Aug 2025 00:00:00 GMT") -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>x</title><item>'
        f"<title>A &lt;b&gt; &amp; C\n D</title><link>{link}</link><pubDate>{date}</pubDate>"
        f"<description>{' ' * 200_000}x</description></item></channel></rss>"
    ).encode()


def test_a_post_with_an_unreadable_date_is_read_without_its_date() -> None:
    for date in ("0000-00-00", "Mon, 04 Aug 99999 00:00:00 GMT", "yesterday", ""):
        (post,) = read_feed(Fetched("https://forum.example/", item(date=date), UNKNOWN, ""))
        assert post.published_at is None
        assert (post.topic_id, post.html, "\n" in post.title) == (5, "x", False)


@pytest.mark.parametrize(
    "link",
    [
        "javascript:/t/a/5",
        "https://[/t/a/5",
        "https://a.example:99999/t/a/5",
        "/t/a/5",
        "https://forum.example/t/a/5/b/c",
    ],
)
def test_a_topic_with_an_invalid_address_is_left_out(link: str) -> None:
    assert read_feed(Fetched("https://forum.example/", item(link), UNKNOWN, "")) == []


# --- topics -------------------------------------------------------------------------

TOPIC_URL = "https://forum.example/t/5.json"


def topic(**changed: Any) -> Fetched:
    first = {"post_number": 1, "created_at": "2025-08-03T21:00:00.000Z", "cooked": "<p>글</p>"}
    facts = {"id": 5, "title": "제목", "slug": "a", "tags": ["paper"], "post_stream": {"posts": [first]}}
    return Fetched(TOPIC_URL, json.dumps(facts | changed).encode(), UNKNOWN)


def first_post(**changed: Any) -> dict[str, Any]:
    first = {"post_number": 1, "created_at": "2025-08-03T21:00:00.000Z", "cooked": "<p>글</p>"}
    return {"posts": [first | changed]}


@pytest.mark.parametrize(
    "changed",
    [
        {"id": 10**30},
        {"id": 1e999},
        {"id": None},
        {"post_stream": {"posts": []}},
        {"post_stream": None},
        {"post_stream": {"posts": [None]}},
        {"tags": 5},
        {"post_stream": first_post(post_number=2)},
        {"post_stream": first_post(created_at="soon")},
        {"post_stream": first_post(created_at=None)},
    ],
)
def test_an_incomplete_topic_is_refused(changed: dict[str, Any]) -> None:
    assert read_topic(topic()).published_at == datetime(2025, 8, 3, 21, tzinfo=UTC)
    with pytest.raises(FeedError, match=f"^{TOPIC_URL} "):
        read_topic(topic(**changed))


@pytest.mark.parametrize(
    "tags",
    [
        ["paper", "ai\n"],
        [{"id": 1, "name": "paper", "slug": "paper"}, {"id": 2, "name": "ai", "slug": "ai"}],
        ["paper", None, {"id": 3}, {"name": 5}, "ai", ["x"]],
    ],
)
def test_the_tags_of_a_topic_are_read_in_their_form_of_today_and_of_2025(tags: list[Any]) -> None:
    assert read_topic(topic(tags=tags)).tags == ("paper", "ai")
    assert read_topic(topic(tags=None)).tags == ()


def test_the_author_of_a_topic_is_the_user_name_and_not_the_display_name() -> None:
    named = topic(post_stream=first_post(username="kim\u202e\n", name="moderator", display_username="Kim"))
    assert read_topic(named).author == "kim"
    for username in (None, 5, ["moderator"]):
        assert read_topic(topic(post_stream=first_post(username=username))).author == ""


@pytest.mark.parametrize(
    "changed",
    [
        {"deleted_at": "2025-08-05T00:00:00.000Z"},
        {"deleted_at": "2025-08-05T00:00:00.000Z", "post_stream": {"posts": []}},
        {"post_stream": first_post(deleted_at="2025-08-05T00:00:00.000Z")},
        {"post_stream": first_post(user_deleted=True)},
    ],
)
def test_a_deleted_topic_is_told_from_one_that_cannot_be_read(changed: dict[str, Any]) -> None:
    with pytest.raises(GoneError, match="deleted"):
        read_topic(topic(**changed))
    kept = topic(deleted_at=None, post_stream=first_post(deleted_at=None, user_deleted=False))
    assert read_topic(kept).topic_id == 5


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_not_a_topic_is_refused(body: bytes) -> None:
    with pytest.raises(FeedError, match=rf"^{TOPIC_URL} is not a topic's JSON \(\w+Error\)"):
        read_topic(Fetched(TOPIC_URL, body, UNKNOWN))


def test_characters_that_break_databases_or_headers_are_removed_from_a_topic() -> None:
    hostile = topic(
        title="제\x00목\r\nBcc: a@b.example\u202e\ud800",
        slug="a b\n/../c",
        post_stream=first_post(cooked="<p>글\x00\ud800</p>"),
    )
    post = read_topic(hostile)
    assert post.title == "제목 Bcc: a@b.example"
    assert "\x00" not in post.html
    assert post.html.encode()
    assert post.url == "https://forum.example/t/a%20b%0A%2F..%2Fc/5"


@pytest.mark.parametrize("slug", ["", "a/b", "../..", "올빼미"])
def test_the_address_of_a_topic_leads_to_it_whatever_its_slug_is(slug: str) -> None:
    assert topic_json_url(read_topic(topic(slug=slug)).url) == "https://forum.example/t/5.json"


def test_a_topic_with_a_title_that_no_feed_can_have_is_refused() -> None:
    with pytest.raises(FeedError, match="has a title of more than 4000 characters"):
        read_topic(topic(title="제목" * 3000))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://forum.example/t/slug/12", "https://forum.example/t/12.json"),
        ("https://forum.example/t/slug/12/3", "https://forum.example/t/12.json"),
        ("https://forum.example/t/12.json", "https://forum.example/t/12.json"),
        ("https://forum.example/talk/t/slug/12.rss", "https://forum.example/talk/t/12.json"),
    ],
)
def test_a_topic_is_found_by_any_of_its_addresses(address: str, expected: str) -> None:
    assert topic_json_url(address) == expected


@pytest.mark.parametrize("address", ["https://forum.example/c/news/14.rss", "file:///t/a/1", "12", ""])
def test_an_address_that_is_not_a_topics_is_refused(address: str) -> None:
    with pytest.raises(FeedError, match="not a topic's address"):
        topic_json_url(address)
