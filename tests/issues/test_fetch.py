"""An address is fetched within limits of time and size, and only from a host that is public or allowed."""

import asyncio
import socket
import time
from collections.abc import Iterator
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from issues.feed import read_feed
from issues.fetch import FeedError, Fetched, GoneError, Validators, fetch
from paperboy.demo.sample.data import weeks
from paperboy.demo.sample.forum import Forum
from tests.support.servers.faulty_forum import FaultyServer

ALLOWED = ("127.0.0.1",)
UNKNOWN = Validators()


@pytest.fixture
def server(forum: Forum) -> Iterator[FaultyServer]:
    with FaultyServer(forum) as running:
        yield running


# --- answers ------------------------------------------------------------------------


def test_an_unchanged_feed_is_requested_conditionally_and_not_sent_again(forum: Forum) -> None:
    first = fetch(forum.feed_url, UNKNOWN, ALLOWED)
    second = fetch(forum.feed_url, first.validators, ALLOWED)
    assert first.body
    assert second == Fetched(forum.feed_url, None, first.validators)
    forum.state.edited = True
    assert fetch(forum.feed_url, first.validators, ALLOWED).body not in {None, first.body}


def test_a_redirect_is_followed_to_the_new_address(forum: Forum) -> None:
    week = weeks()[0]
    page = fetch(f"{forum.origin}/t/{week.topic_id}", UNKNOWN, ALLOWED)
    assert page.url == f"{forum.origin}/t/{week.slug}/{week.topic_id}"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("500", "answered 500"),
        ("429", "429, retry after 17"),
        ("truncated", "could not be read"),
        ("truncated gzip", "cut off"),
        ("broken gzip", "could not be read"),
        ("cut", "not a complete feed"),
        ("cut file", "not a complete feed"),
        ("html", "not a plain RSS feed"),
        ("redirect", "redirects more than 5 times"),
        ("huge", "larger than 8 MB"),
        ("bomb", "larger than 8 MB"),
        ("entities", "not a plain RSS feed"),
        ("drop", "could not be read"),
        ("slow", "took longer"),
        ("header drip", "took longer"),
        ("early hints", "took longer"),
        ("early hints flood", "took longer"),
        ("silent", "took longer"),
        ("slow redirect", "took longer"),
        ("404", "answered 404"),
        ("410", "answered 410"),
        ("encoding", "encoding that was not requested"),
    ],
)
def test_each_fault_is_reported_in_one_line_and_a_slow_answer_is_not_waited_for(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch, fault: str, message: str
) -> None:
    if message == "took longer":
        monkeypatch.setattr("issues.fetch.MAX_SECONDS", 0.3)
    server.fault = fault
    with pytest.raises(FeedError, match=message) as caught:
        read_feed(fetch(server.feed_url, UNKNOWN, ALLOWED))
    assert "\n" not in str(caught.value)
    assert server.feed_url in str(caught.value)


def test_a_server_that_falls_silent_is_left_long_before_the_deadline(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("issues.fetch.TIMEOUT_SECONDS", 0.2)
    server.fault = "silent"
    with pytest.raises(FeedError, match=f"^{server.feed_url} did not answer in time$"):
        fetch(server.feed_url, UNKNOWN, ALLOWED)


def test_a_server_that_is_down_is_reported(forum: Forum) -> None:
    with FaultyServer(forum) as stopped:
        address = stopped.feed_url
    with pytest.raises(FeedError, match="could not be read"):
        fetch(address, UNKNOWN, ALLOWED)


def test_a_page_that_is_not_there_any_more_is_told_from_other_faults(server: FaultyServer) -> None:
    for fault in ("404", "410"):
        server.fault = fault
        with pytest.raises(GoneError):
            fetch(server.feed_url, UNKNOWN, ALLOWED)


def test_the_rest_of_the_deadline_is_left_for_reading_the_feed(
    forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = time.monotonic()
    fetched = fetch(forum.feed_url, UNKNOWN, ALLOWED)
    assert before + 30 <= fetched.deadline <= time.monotonic() + 30
    too_late = SimpleNamespace(monotonic=lambda: fetched.deadline + 1)
    monkeypatch.setattr("issues.feed_guard.time", too_late)
    with pytest.raises(FeedError, match="took longer than 30 seconds"):
        read_feed(fetched)


def test_a_resolver_that_does_not_answer_is_left_behind_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = Event()

    def getaddrinfo(*_arguments: Any, **_named: Any) -> Any:
        released.wait()
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("issues.fetch.MAX_SECONDS", 0.2)
    try:
        with pytest.raises(FeedError, match="took longer"):
            fetch("http://forum.test/feed", UNKNOWN)
    finally:
        released.set()


def test_a_page_is_fetched_also_where_an_event_loop_is_running(forum: Forum) -> None:
    async def caller() -> Fetched:
        return fetch(forum.feed_url, UNKNOWN, ALLOWED)

    assert asyncio.run(caller()) == fetch(forum.feed_url, UNKNOWN, ALLOWED)


# --- allowed hosts ------------------------------------------------------------------


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
        "192.0.0.8",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::7f00:1]",
        "[::ffff:8.8.8.8]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::808:808]",
        "[64:ff9b:1::7f00:1]",
        "[2001:0:808:808::1]",
        "[2001:db8::1]",
        "[2002:7f00:1::]",
        "[2002:808:808::1]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
    ],
)
def test_a_private_address_is_refused_unless_it_is_allowed(host: str) -> None:
    with pytest.raises(FeedError, match="private network"):
        fetch(f"http://{host}:9/feed", UNKNOWN, ("forum.example",))


@pytest.mark.parametrize("address", ["8.8.8.8", "192.0.1.1", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_a_public_address_is_requested(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    _resolve_to(monkeypatch, address)
    connected: list[str] = []

    async def connect_tcp(remote_host: str, **_named: Any) -> Any:
        connected.append(remote_host)
        raise ConnectionRefusedError

    monkeypatch.setattr("anyio.connect_tcp", connect_tcp)
    with pytest.raises(FeedError, match="could not be read"):
        fetch("http://forum.test/feed", UNKNOWN)
    assert connected == [address]


def test_an_allowed_host_may_be_named_with_its_port(forum: Forum) -> None:
    port = forum.origin.rpartition(":")[2]
    assert fetch(forum.feed_url, UNKNOWN, (f"127.0.0.1:{port}",)).body
    with pytest.raises(FeedError, match="private network"):
        fetch(forum.feed_url, UNKNOWN, ("127.0.0.1:1",))


def test_a_redirect_to_a_private_address_is_refused_before_it_is_requested(
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
def test_a_redirect_to_an_invalid_address_is_reported_in_one_line(
    server: FaultyServer, location: str
) -> None:
    server.fault, server.location = "redirect", location
    with pytest.raises(FeedError) as caught:
        fetch(server.feed_url, UNKNOWN, ALLOWED)
    assert "\n" not in str(caught.value)


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let `forum.test` have these addresses. The list that is returned grows by one entry at each resolution."""
    resolved: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *others: Any, **named: Any) -> Any:
        if host != "forum.test":
            return real(host, port, *others, **named)
        resolved.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return resolved


def test_a_host_is_resolved_once_and_requested_under_its_own_name(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = _resolve_to(monkeypatch, "127.0.0.1")
    url = server.feed_url.replace("127.0.0.1", "forum.test")
    assert fetch(url, UNKNOWN, ("forum.test",)).body
    assert resolved == ["forum.test"]
    assert server.asked[0]["host"] == f"forum.test:{server.port}"


def test_a_host_with_one_private_address_among_public_ones_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _resolve_to(monkeypatch, "8.8.8.8", "10.0.0.1")
    with pytest.raises(FeedError, match="private network"):
        fetch("http://forum.test/feed", UNKNOWN)


def test_an_unknown_host_is_reported_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: Any, **_named: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(FeedError, match=r"host forum\.test is not known"):
        fetch("http://forum.test/feed", UNKNOWN)


def test_only_http_and_https_addresses_are_fetched() -> None:
    for url in ("file:///etc/passwd", "ftp://forum.example/", "forum.example", "http://", "http://:80"):
        with pytest.raises(FeedError):
            fetch(url, UNKNOWN, ALLOWED)
