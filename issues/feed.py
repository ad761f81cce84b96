"""Fetching: a feed or a topic over HTTP, conditional and bounded in bytes, time and redirects.

Reads posts from RSS and from topic JSON; does not know what is inside a post.
"""

import ipaddress
import json
import re
import socket
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import feedparser
import httpx

from issues.parse.text import clean, safe_url

MAX_BYTES = 16 * 1024 * 1024
MAX_SECONDS = 30
MAX_REDIRECTS = 5
USER_AGENT = "Paperboy/0.1 (newsletter; reads the feed once an hour)"


class FeedError(Exception):
    """The forum's answer cannot be used; one line that says what it was."""


@dataclass(frozen=True)
class Validators:
    """What an earlier answer gave for asking again (RFC 9110, 8.8)."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class Fetched:
    """An answer: its unpacked body, or None when nothing changed (304)."""

    url: str
    body: bytes | None
    validators: Validators
    content_type: str = ""


@dataclass(frozen=True)
class Post:
    """A topic's first post as it arrived; `html` is untrusted, `published_at` aware."""

    topic_id: int
    title: str
    url: str
    html: str
    published_at: datetime | None


# --- HTTP ---------------------------------------------------------------------------


def fetch(url: str, known: Validators, allowed_hosts: Sequence[str] = ()) -> Fetched:
    """The answer of `url`, asked for only if it changed since `known`.

    At most MAX_BYTES after unpacking, MAX_SECONDS and MAX_REDIRECTS. Each host is resolved once and
    must be on the public internet unless `allowed_hosts` names it (`host` or `host:port`).

    Raises:
        FeedError: no answer, a refused address, a status other than 200 and 304, or a bound passed.
    """
    deadline = time.monotonic() + MAX_SECONDS
    try:
        with httpx.Client(timeout=10, trust_env=False, headers=_headers(known)) as client:
            return _follow(client, url, known, allowed_hosts, deadline)
    except httpx.TimeoutException:
        raise FeedError(f"{url} did not answer in time") from None
    except (httpx.HTTPError, httpx.InvalidURL, zlib.error, OSError, ValueError) as error:
        raise FeedError(f"{url} could not be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


def _headers(known: Validators) -> dict[str, str]:
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"}
    if known.etag:
        headers["If-None-Match"] = known.etag
    if known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _follow(
    client: httpx.Client, url: str, known: Validators, allowed_hosts: Sequence[str], deadline: float
) -> Fetched:
    address = url
    for _ in range(MAX_REDIRECTS + 1):
        with closing(client.send(_request(client, address, allowed_hosts), stream=True)) as response:
            if response.has_redirect_location:
                address = urljoin(address, response.headers.get("location", ""))
                continue
            return _answer(response, address, known, deadline)
    raise FeedError(f"{url} redirects more than {MAX_REDIRECTS} times")


def _request(client: httpx.Client, url: str, allowed_hosts: Sequence[str]) -> httpx.Request:
    """A request to the one address that was checked, under the host's own name."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise FeedError(f"{url[:200]} is no http or https address")
    address = _resolve(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80), allowed_hosts)
    literal = f"[{address}]" if ":" in address else address
    target = httpx.URL(url).copy_with(host=literal)
    request = client.build_request("GET", target, headers={"Host": parts.netloc.rpartition("@")[2]})
    request.extensions["sni_hostname"] = parts.hostname
    return request


def _resolve(host: str, port: int, allowed_hosts: Sequence[str]) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise FeedError(f"the host {host} is not known: check the address and the network") from None
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if {host.lower(), f"{host.lower()}:{port}"} & set(allowed_hosts):
        return addresses[0]
    for address in addresses:
        if not ipaddress.ip_address(address).is_global:
            raise FeedError(
                f"{host} is on a private network: name it in PAPERBOY_ALLOWED_HOSTS if that is meant"
            )
    return addresses[0]


def _answer(response: httpx.Response, url: str, known: Validators, deadline: float) -> Fetched:
    if response.status_code == httpx.codes.NOT_MODIFIED:
        return Fetched(url, None, known)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        wait = response.headers.get("retry-after", "a while")[:40]
        raise FeedError(f"{url} asks for patience (429, retry after {wait}): nothing was read")
    if response.status_code != httpx.codes.OK:
        raise FeedError(f"{url} answered {response.status_code}: nothing was read")
    validators = Validators(_sendable(response, "etag"), _sendable(response, "last-modified"))
    return Fetched(url, _body(response, url, deadline), validators, response.headers.get("content-type", ""))


def _sendable(response: httpx.Response, name: str) -> str | None:
    """A header that can be sent back as it came."""
    value = response.headers.get(name, "")
    return value if value.isascii() and value.isprintable() and 0 < len(value) <= 500 else None


def _body(response: httpx.Response, url: str, deadline: float) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip"}:
        raise FeedError(f"{url} answered in an encoding nobody asked for ({encoding[:40]})")
    unpack = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    body = bytearray()
    for chunk in response.iter_raw():
        # Unpacked piece by piece, and never further than the bound: a small body can hold gigabytes.
        body += unpack.decompress(chunk, MAX_BYTES + 1 - len(body)) if unpack else chunk
        if len(body) > MAX_BYTES:
            raise FeedError(f"{url} is larger than {MAX_BYTES // 1024 // 1024} MB")
        if time.monotonic() > deadline:
            raise FeedError(f"{url} took longer than {MAX_SECONDS} seconds")
    if unpack and not unpack.eof:
        raise FeedError(f"{url} was cut off in the middle")
    return bytes(body)


# --- RSS ----------------------------------------------------------------------------


# A file server's idea of the type or the encoding says nothing about the feed itself.
_HARMLESS = (feedparser.CharacterEncodingOverride, feedparser.NonXMLContentType)


def read_feed(fetched: Fetched) -> list[Post]:
    """The posts of an RSS feed, oldest first.

    Raises:
        FeedError: not a feed, not whole, or with a document type (entities can expand without end).
    """
    body = fetched.body or b""
    if b"\x00" in body[:4096] or re.search(rb"<!(DOCTYPE|ENTITY)", body[: _prolog(body)], re.IGNORECASE):
        raise FeedError(f"{fetched.url} is not a plain RSS feed (a page or a document type in its place)")
    parsed = feedparser.parse(
        body,
        sanitize_html=False,
        resolve_relative_uris=False,
        response_headers={"content-type": fetched.content_type},
    )
    if parsed.bozo and not isinstance(parsed.bozo_exception, _HARMLESS):
        reason = _reason(parsed.get("bozo_exception", Exception("not well-formed")))
        raise FeedError(f"{fetched.url} is no whole feed ({reason}): nothing was read")
    if not parsed.get("version"):
        raise FeedError(f"{fetched.url} is not a feed: nothing was read")
    return sorted(
        _posts(parsed.entries),
        key=lambda post: (post.published_at or datetime.max.replace(tzinfo=UTC), post.topic_id),
    )


def _prolog(body: bytes) -> int:
    """Where the root element begins: a document type stands before it."""
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
            yield Post(
                int(topic[1]), title, link, _without_tail(html), _moment(entry.get("published_parsed"))
            )


def _moment(published: time.struct_time | None) -> datetime | None:
    try:
        return datetime(*published[:6], tzinfo=UTC) if published else None
    except ValueError:
        return None


_TAIL = re.compile(r"<p><small>[^<]*</small></p>\s*<p><a href=\"[^\"<]*\">[^<]*</a></p>$")


def _without_tail(html: str) -> str:
    """The post without the two paragraphs that Discourse's feed adds (topics/show.rss.erb)."""
    return _TAIL.sub("", html.strip()).strip()


# --- topic JSON ---------------------------------------------------------------------


def topic_address(url: str) -> str:
    """The address of a topic's JSON, from any of its addresses.

    Raises:
        FeedError: the address is no topic's.
    """
    parts = urlsplit(url)
    found = re.fullmatch(r"(.*)/t/(?:[^/]+/)?(\d+)(?:/\d+)?(?:\.json|\.rss)?/?", parts.path)
    if not found or parts.scheme not in {"http", "https"}:
        raise FeedError(f"{url[:200]} is no topic's address: it should look like https://HOST/t/SLUG/ID")
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{found[1]}/t/{found[2]}.json{query}"


def read_topic(fetched: Fetched) -> Post:
    """The first post of a topic's JSON (Discourse, TopicViewSerializer).

    Raises:
        FeedError: not that JSON, or without its first post.
    """
    try:
        topic = json.loads(fetched.body or b"")
        first = topic["post_stream"]["posts"][0]
        if first["post_number"] != 1:
            raise FeedError(f"{fetched.url} does not hold the topic's first post")
        number = int(re.fullmatch(r"\d{1,18}", str(topic["id"]))[0])  # type: ignore[index]  # caught below
        created = datetime.fromisoformat(first["created_at"])
        # JSON can hold half characters and NUL, which no database takes.
        html = str(first["cooked"]).encode("utf-8", "replace").decode().replace("\x00", "")
        parts = urlsplit(fetched.url)
        url = f"{parts.scheme}://{parts.netloc}/t/{quote(str(topic['slug']))}/{number}"
        return Post(number, clean(str(topic["title"])), url, html.strip(), created.astimezone(UTC))
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise FeedError(
            f"{fetched.url} is not a topic's JSON ({type(error).__name__}): nothing was read"
        ) from None
