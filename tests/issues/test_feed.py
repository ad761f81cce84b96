"""The feed is fetched within bounds, from where it was meant to come, and read whole or not at all."""

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from issues import feed
from issues.feed import read_feed, read_topic, topic_json_url
from issues.fetch import FeedError, Fetched, Validators, fetch
from paperboy.demo.sample.data import weeks
from paperboy.demo.sample.forum import Forum
from paperboy.demo.sample.topics import NEWS_TOPIC_ID
from tests.support.servers.faulty_forum import FaultyServer

ALLOWED = ("127.0.0.1",)
UNKNOWN = Validators()


@pytest.fixture
def forum() -> Iterator[Forum]:
    with Forum() as running:
        yield running


@pytest.fixture
def server(forum: Forum) -> Iterator[FaultyServer]:
    with FaultyServer(forum) as running:
        yield running


# --- good answers -------------------------------------------------------------------


def test_a_feed_brings_its_posts_oldest_first_with_their_facts(forum: Forum) -> None:
    posts = read_feed(fetch(forum.feed_url, UNKNOWN, ALLOWED))
    assert [post.topic_id for post in posts] == [NEWS_TOPIC_ID, *(week.topic_id for week in weeks())]
    for post, week in zip(posts[1:], weeks(), strict=True):
        assert (post.title, post.published_at) == (week.title, week.created_at)
        assert post.url == f"{forum.origin}/t/{week.slug}/{week.topic_id}"


def test_a_post_ends_without_the_lines_that_the_feed_adds(forum: Forum) -> None:
    before = read_feed(fetch(forum.feed_url, UNKNOWN, ALLOWED))
    forum.state.replies = {post.topic_id: 3 for post in before}
    after = read_feed(fetch(forum.feed_url, UNKNOWN, ALLOWED))
    assert after == before
    assert all("게시물" not in post.html and "전체 주제 읽기" not in post.html for post in after)


def test_a_topic_brings_the_same_post_as_the_feed(forum: Forum) -> None:
    posts = read_feed(fetch(forum.feed_url, UNKNOWN, ALLOWED))
    for post in posts:
        assert read_topic(fetch(topic_json_url(post.url), UNKNOWN, ALLOWED)) == post


def test_an_unchanged_feed_is_asked_for_conditionally_and_not_sent_again(forum: Forum) -> None:
    first = fetch(forum.feed_url, UNKNOWN, ALLOWED)
    second = fetch(forum.feed_url, first.validators, ALLOWED)
    assert first.body
    assert second == Fetched(forum.feed_url, None, first.validators)
    forum.state.edited = True
    assert fetch(forum.feed_url, first.validators, ALLOWED).body not in {None, first.body}


def test_a_redirect_is_followed_to_where_the_forum_moved(forum: Forum) -> None:
    week = weeks()[0]
    page = fetch(f"{forum.origin}/t/{week.topic_id}", UNKNOWN, ALLOWED)
    assert page.url == f"{forum.origin}/t/{week.slug}/{week.topic_id}"


def test_a_file_server_that_names_no_type_or_encoding_is_good_enough(forum: Forum) -> None:
    good = fetch(forum.feed_url, UNKNOWN, ALLOWED)
    for content_type in ("", "application/octet-stream", "text/xml", "text/plain"):
        assert read_feed(replace(good, content_type=content_type)) == read_feed(good)


# --- faults -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("500", "answered 500"),
        ("429", "429, retry after 17"),
        ("truncated", "could not be read"),
        ("truncated gzip", "cut off"),
        ("broken gzip", "could not be read"),
        ("cut", "no whole feed"),
        ("cut file", "no whole feed"),
        ("html", "not a plain RSS feed"),
        ("redirect", "redirects more than 5 times"),
        ("huge", "larger than 16 MB"),
        ("bomb", "larger than 16 MB"),
        ("entities", "not a plain RSS feed"),
        ("drop", "could not be read"),
        ("slow", "took longer"),
        ("encoding", "encoding nobody asked for"),
    ],
)
def test_each_fault_is_one_clear_line_and_takes_no_longer_than_allowed(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch, fault: str, said: str
) -> None:
    if fault == "slow":
        monkeypatch.setattr(feed, "MAX_SECONDS", 0.3)
    server.fault = fault
    begun = time.monotonic()
    with pytest.raises(FeedError, match=said) as caught:
        read_feed(fetch(server.feed_url, UNKNOWN, ALLOWED))
    assert time.monotonic() - begun < 10
    assert "\n" not in str(caught.value)
    assert server.feed_url in str(caught.value)


def test_a_server_that_is_not_there_is_one_clear_line(forum: Forum) -> None:
    with FaultyServer(forum) as gone:
        address = gone.feed_url
    with pytest.raises(FeedError, match="could not be read"):
        fetch(address, UNKNOWN, ALLOWED)


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
def test_what_is_no_feed_is_refused(body: bytes) -> None:
    with pytest.raises(FeedError):
        read_feed(Fetched("https://forum.example/", body, UNKNOWN, "application/rss+xml"))


def item(link: str = "https://forum.example/t/a/5", date: str = "Mon, 04 Aug 2025 00:00:00 GMT") -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>x</title><item>'
        f"<title>A &lt;b&gt; &amp; C\n D</title><link>{link}</link><pubDate>{date}</pubDate>"
        f"<description>{' ' * 200_000}x</description></item></channel></rss>"
    ).encode()


def test_an_odd_date_costs_the_date_and_not_the_feed() -> None:
    for date in ("0000-00-00", "Mon, 04 Aug 99999 00:00:00 GMT", "yesterday", ""):
        (post,) = read_feed(Fetched("https://forum.example/", item(date=date), UNKNOWN, ""))
        assert post.published_at is None
        assert (post.topic_id, post.html, "\n" in post.title) == (5, "x", False)


@pytest.mark.parametrize(
    "link", ["javascript:/t/a/5", "https://[/t/a/5", "https://a.example:99999/t/a/5", "/t/a/5"]
)
def test_a_topic_with_an_address_that_is_none_is_left_out(link: str) -> None:
    assert read_feed(Fetched("https://forum.example/", item(link), UNKNOWN, "")) == []


# --- topics -------------------------------------------------------------------------

TOPIC_URL = "https://forum.example/t/5.json"


def topic(**changed: Any) -> Fetched:
    first = {"post_number": 1, "created_at": "2025-08-03T21:00:00.000Z", "cooked": "<p>글</p>"}
    whole = {"id": 5, "title": "제목", "slug": "a", "tags": ["paper"], "post_stream": {"posts": [first]}}
    return Fetched(TOPIC_URL, json.dumps(whole | changed).encode(), UNKNOWN)


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
        {"post_stream": first_post(post_number=2)},
        {"post_stream": first_post(created_at="soon")},
        {"post_stream": first_post(created_at=None)},
    ],
)
def test_a_topic_that_is_not_whole_is_refused(changed: dict[str, Any]) -> None:
    assert read_topic(topic()).published_at == datetime(2025, 8, 3, 21, tzinfo=UTC)
    with pytest.raises(FeedError):
        read_topic(topic(**changed))


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b"\xff", b"[" * 100_000])
def test_what_is_no_topic_is_refused(body: bytes) -> None:
    with pytest.raises(FeedError):
        read_topic(Fetched(TOPIC_URL, body, UNKNOWN))


def test_a_topic_brings_nothing_that_a_database_or_a_header_would_choke_on() -> None:
    hostile = topic(
        title="제\x00목\r\nBcc: a@b.example\u202e\ud800",
        slug="a b\n/../c",
        post_stream=first_post(cooked="<p>글\x00\ud800</p>"),
    )
    post = read_topic(hostile)
    assert post.title == "제목 Bcc: a@b.example"
    assert "\x00" not in post.html
    assert post.html.encode()
    assert post.url == "https://forum.example/t/a%20b%0A/../c/5"


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://forum.example/t/slug/12", "https://forum.example/t/12.json"),
        ("https://forum.example/t/slug/12/3", "https://forum.example/t/12.json"),
        ("https://forum.example/t/12.json", "https://forum.example/t/12.json"),
        ("https://forum.example/talk/t/slug/12.rss", "https://forum.example/talk/t/12.json"),
    ],
)
def test_a_topic_is_found_by_any_of_its_addresses(address: str, found: str) -> None:
    assert topic_json_url(address) == found


@pytest.mark.parametrize("address", ["https://forum.example/c/news/14.rss", "file:///t/a/1", "12", ""])
def test_an_address_that_is_no_topic_is_refused(address: str) -> None:
    with pytest.raises(FeedError, match="no topic's address"):
        topic_json_url(address)


# --- where from ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104  an address to refuse, not to listen on
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fd00::1]",
        "2130706433",
    ],
)
def test_a_private_address_is_refused_unless_it_is_allowed(host: str) -> None:
    with pytest.raises(FeedError, match="private network"):
        fetch(f"http://{host}:9/feed", UNKNOWN, ("forum.example",))


def test_an_allowed_host_may_be_named_with_its_port(forum: Forum) -> None:
    port = forum.origin.rpartition(":")[2]
    assert fetch(forum.feed_url, UNKNOWN, (f"127.0.0.1:{port}",)).body
    with pytest.raises(FeedError, match="private network"):
        fetch(forum.feed_url, UNKNOWN, ("127.0.0.1:1",))


def test_a_redirect_to_a_private_address_is_refused_before_it_is_asked(
    forum: Forum, server: FaultyServer
) -> None:
    with FaultyServer(forum) as inner:
        server.fault, server.location = "redirect", inner.feed_url
        with pytest.raises(FeedError, match="private network"):
            fetch(server.feed_url, UNKNOWN, (f"127.0.0.1:{server.port}",))
        assert inner.asked == []


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1:99999/", "http://[", "ftp://forum.example/", "file:///etc/passwd", "http://"],
)
def test_a_redirect_to_no_address_is_one_clear_line(server: FaultyServer, location: str) -> None:
    server.fault, server.location = "redirect", location
    with pytest.raises(FeedError) as caught:
        fetch(server.feed_url, UNKNOWN, ALLOWED)
    assert "\n" not in str(caught.value)


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let `forum.test` have these addresses, and note how often it was asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *others: Any, **named: Any) -> Any:
        if host != "forum.test":
            return real(host, port, *others, **named)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_host_is_resolved_once_and_asked_under_its_own_name(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _resolve_to(monkeypatch, "127.0.0.1")
    url = server.feed_url.replace("127.0.0.1", "forum.test")
    assert fetch(url, UNKNOWN, ("forum.test",)).body
    assert asked == ["forum.test"]
    assert server.asked[0]["host"] == f"forum.test:{server.port}"


def test_a_host_with_one_private_address_among_public_ones_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _resolve_to(monkeypatch, "8.8.8.8", "10.0.0.1")
    with pytest.raises(FeedError, match="private network"):
        fetch("http://forum.test/feed", UNKNOWN)


def test_a_host_that_nobody_knows_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: Any, **_named: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(FeedError, match=r"host forum\.test is not known"):
        fetch("http://forum.test/feed", UNKNOWN)


def test_nothing_but_http_is_fetched() -> None:
    for url in ("file:///etc/passwd", "ftp://forum.example/", "forum.example", "http://", "http://:80"):
        with pytest.raises(FeedError):
            fetch(url, UNKNOWN, ALLOWED)
