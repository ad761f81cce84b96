"""Fetches an address of the forum over HTTP: conditionally, and bounded in bytes, time and redirects."""

import asyncio
import ipaddress
import socket
import time
import zlib
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from threading import Thread
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from core.errors import PaperboyError

MAX_BYTES = 8 * 1024 * 1024  # 30 posts of 100,000 characters, most of them Korean
MAX_SECONDS = 30
MAX_REDIRECTS = 5
TIMEOUT_SECONDS = 10  # for connecting, and for each wait for more bytes
MAX_VALIDATOR_CHARACTERS = 500
USER_AGENT = "Paperboy/0.1 (newsletter; reads the feed once an hour)"

# All other IPv6 addresses stay within a network or contain an IPv4 address: link-local, site-local, multicast, NAT64.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# Python counts these as public, or some of its versions do. They are the IETF's own, Teredo, 6to4 and documentation.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network) for network in ("192.0.0.0/24", "2001::/23", "2002::/16", "3fff::/20")
)


class FeedError(PaperboyError):
    """The forum's answer cannot be used. One line says what it was."""


class GoneError(FeedError):
    """The forum has no such page, or its author or a moderator has deleted the topic."""


@dataclass(frozen=True)
class Validators:
    """What an earlier answer gave for a conditional request (RFC 9110, 8.8)."""

    etag: str | None = None
    last_modified: str | None = None


def _new_deadline() -> float:
    return time.monotonic() + MAX_SECONDS


@dataclass(frozen=True)
class Fetched:
    """An answer: its decompressed body, or None when nothing has changed (304).

    `deadline` is the moment of `time.monotonic` at which reading the answer must have ended.
    """

    url: str
    body: bytes | None
    validators: Validators
    content_type: str = ""
    deadline: float = field(default_factory=_new_deadline, compare=False, repr=False)


def fetch(url: str, known: Validators, allowed_hosts: Sequence[str] = ()) -> Fetched:
    """The answer of `url`, requested only if it has changed since `known`.

    The answer has at most MAX_BYTES after decompression and MAX_REDIRECTS. Everything together, from the name
    of the host to the last byte, takes at most MAX_SECONDS. Each host is resolved once and must be on the
    public internet, unless `allowed_hosts` names it (`host` or `host:port`).

    Raises:
        GoneError: the status is 404 or 410.
        FeedError: there is no answer, an address is refused, the status is neither 200 nor 304, or a limit
            is exceeded.
    """
    deadline = _new_deadline()
    try:
        return _run(_fetch(url, known, allowed_hosts, deadline))
    except httpx.TimeoutException:
        raise FeedError(f"{url} did not answer in time") from None
    except TimeoutError:
        raise too_slow(url) from None
    except (httpx.HTTPError, httpx.InvalidURL, zlib.error, OSError, ValueError) as error:
        raise FeedError(f"{url} could not be read: {one_line(error)}") from None


def too_slow(url: str) -> FeedError:
    """The error for an answer that could not be fetched and read before its deadline."""
    return FeedError(f"{url} took longer than {MAX_SECONDS} seconds")


def one_line(error: Exception) -> str:
    """What an error says, in one line of at most 200 characters."""
    return (str(error) or type(error).__name__).splitlines()[0][:200]


def _run(coroutine: Coroutine[Any, Any, Fetched]) -> Fetched:
    """The result of a coroutine, also if the caller's thread has an event loop, which cannot run a second one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


async def _fetch(url: str, known: Validators, allowed_hosts: Sequence[str], deadline: float) -> Fetched:
    """The answer, cut off at the deadline wherever the server is slow: httpx itself limits only single waits."""
    async with (
        asyncio.timeout(deadline - time.monotonic()),
        httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False, headers=_headers(known)) as client,
    ):
        return await _follow_redirects(client, url, known, allowed_hosts, deadline)


def _headers(known: Validators) -> dict[str, str]:
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"}
    if known.etag:
        headers["If-None-Match"] = known.etag
    if known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    return headers


async def _follow_redirects(
    client: httpx.AsyncClient, url: str, known: Validators, allowed_hosts: Sequence[str], deadline: float
) -> Fetched:
    current = url
    for _ in range(MAX_REDIRECTS + 1):
        request = await _request(client, current, allowed_hosts)
        response = await client.send(request, stream=True)
        async with aclosing(response):
            if response.has_redirect_location:
                current = urljoin(current, response.headers.get("location", ""))
                continue
            return await _read_answer(response, current, known, deadline)
    raise FeedError(f"{url} redirects more than {MAX_REDIRECTS} times")


# --- addresses ----------------------------------------------------------------------


async def _request(client: httpx.AsyncClient, url: str, allowed_hosts: Sequence[str]) -> httpx.Request:
    """A request to the IP address that was checked, under the host's own name."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise FeedError(f"{url[:200]} is not an http or https address")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = await _checked_address(parts.hostname, port, allowed_hosts)
    literal = f"[{address}]" if ":" in address else address
    # A second resolution by the client could give another address (DNS rebinding), so it gets the literal one.
    target = httpx.URL(url).copy_with(host=literal)
    request = client.build_request("GET", target, headers={"Host": parts.netloc.rpartition("@")[2]})
    request.extensions["sni_hostname"] = parts.hostname
    return request


async def _checked_address(host: str, port: int, allowed_hosts: Sequence[str]) -> str:
    try:
        addresses = await asyncio.wrap_future(_look_up(host, port))
    except (OSError, ValueError):  # ValueError: not a host name
        raise FeedError(f"the host {host} is not known: check the address and the network") from None
    is_allowed = bool({host.lower(), f"{host.lower()}:{port}"} & set(allowed_hosts))
    if not is_allowed and not all(map(_is_public, addresses)):
        raise FeedError(
            f"{host} is on a private network: name it in PAPERBOY_ALLOWED_HOSTS if that is intended"
        )
    return addresses[0]


def _look_up(host: str, port: int) -> Future[list[str]]:
    """The IP addresses of a host, from a thread of their own.

    A resolver cannot be interrupted, and asyncio would wait for its own threads beyond the deadline.
    """
    found: Future[list[str]] = Future()
    found.set_running_or_notify_cancel()  # so that the thread can always set the result

    def look_up() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.set_result([str(entry[4][0]).partition("%")[0] for entry in entries])
        except (OSError, ValueError) as error:
            found.set_exception(error)

    Thread(target=look_up, name="paperboy-resolver", daemon=True).start()
    return found


def _is_public(address: str) -> bool:
    """Whether an IP address is one of a single host on the public internet (IANA's special-purpose registries)."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _GLOBAL_UNICAST:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_PUBLIC)


# --- answers ------------------------------------------------------------------------


async def _read_answer(response: httpx.Response, url: str, known: Validators, deadline: float) -> Fetched:
    match response.status_code:
        case httpx.codes.OK:
            validators = Validators(_validator(response, "etag"), _validator(response, "last-modified"))
            content_type = response.headers.get("content-type", "")
            return Fetched(url, await _read_body(response, url), validators, content_type, deadline)
        case httpx.codes.NOT_MODIFIED:
            return Fetched(url, None, known, deadline=deadline)
        case httpx.codes.NOT_FOUND | httpx.codes.GONE as status:
            raise GoneError(f"{url} answered {status}: there is no such page, or not any more")
        case httpx.codes.TOO_MANY_REQUESTS:
            wait = response.headers.get("retry-after", "a while")[:40]
            raise FeedError(f"{url} has too many requests (429, retry after {wait}): nothing was read")
        case status:
            raise FeedError(f"{url} answered {status}: nothing was read")


def _validator(response: httpx.Response, name: str) -> str | None:
    """A validator that can be sent back exactly as it came, or None for any other."""
    value = response.headers.get(name, "")
    is_sendable = value.isascii() and value.isprintable() and 0 < len(value) <= MAX_VALIDATOR_CHARACTERS
    return value if is_sendable else None


async def _read_body(response: httpx.Response, url: str) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip"}:
        raise FeedError(f"{url} answered in an encoding that was not requested ({encoding[:40]})")
    decompressor = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    body = bytearray()
    async for chunk in response.aiter_raw():
        # Each chunk is decompressed only up to the limit, because a few kilobytes can hold gigabytes.
        body += decompressor.decompress(chunk, MAX_BYTES + 1 - len(body)) if decompressor else chunk
        if len(body) > MAX_BYTES:
            raise FeedError(f"{url} is larger than {MAX_BYTES // 1024 // 1024} MB")
    if decompressor and not decompressor.eof:
        raise FeedError(f"{url} was cut off in the middle")
    return bytes(body)
