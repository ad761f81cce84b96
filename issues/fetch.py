"""Fetches an address of the forum over HTTP: conditionally, and bounded in bytes, time and redirects."""

import ipaddress
import socket
import time
import zlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx

from core.errors import PaperboyError

MAX_BYTES = 16 * 1024 * 1024
MAX_SECONDS = 30
MAX_REDIRECTS = 5
TIMEOUT_SECONDS = 10  # for connecting, and for each wait for more bytes
MAX_VALIDATOR_CHARACTERS = 500
USER_AGENT = "Paperboy/0.1 (newsletter; reads the feed once an hour)"


class FeedError(PaperboyError):
    """The forum's answer cannot be used. One line says what it was."""


@dataclass(frozen=True)
class Validators:
    """What an earlier answer gave for a conditional request (RFC 9110, 8.8)."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class Fetched:
    """An answer: its decompressed body, or None when nothing has changed (304)."""

    url: str
    body: bytes | None
    validators: Validators
    content_type: str = ""


def fetch(url: str, known: Validators, allowed_hosts: Sequence[str] = ()) -> Fetched:
    """The answer of `url`, requested only if it has changed since `known`.

    The answer has at most MAX_BYTES after decompression and takes at most MAX_SECONDS and MAX_REDIRECTS. Each
    host is resolved once and must be on the public internet, unless `allowed_hosts` names it (`host` or
    `host:port`).

    Raises:
        FeedError: there is no answer, an address is refused, the status is neither 200 nor 304, or a limit
            is exceeded.
    """
    deadline = time.monotonic() + MAX_SECONDS
    try:
        with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, headers=_headers(known)) as client:
            return _follow_redirects(client, url, known, allowed_hosts, deadline)
    except httpx.TimeoutException:
        raise FeedError(f"{url} did not answer in time") from None
    except (httpx.HTTPError, httpx.InvalidURL, zlib.error, OSError, ValueError) as error:
        raise FeedError(f"{url} could not be read: {one_line(error)}") from None


def one_line(error: Exception) -> str:
    """What an error says, in one line of at most 200 characters."""
    return (str(error) or type(error).__name__).splitlines()[0][:200]


def _headers(known: Validators) -> dict[str, str]:
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"}
    if known.etag:
        headers["If-None-Match"] = known.etag
    if known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _follow_redirects(
    client: httpx.Client, url: str, known: Validators, allowed_hosts: Sequence[str], deadline: float
) -> Fetched:
    current = url
    for _ in range(MAX_REDIRECTS + 1):
        with closing(client.send(_request(client, current, allowed_hosts), stream=True)) as response:
            if response.has_redirect_location:
                current = urljoin(current, response.headers.get("location", ""))
                continue
            return _read_answer(response, current, known, deadline)
    raise FeedError(f"{url} redirects more than {MAX_REDIRECTS} times")


def _request(client: httpx.Client, url: str, allowed_hosts: Sequence[str]) -> httpx.Request:
    """A request to the IP address that was checked, under the host's own name."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise FeedError(f"{url[:200]} is not an http or https address")
    address = _resolve(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80), allowed_hosts)
    literal = f"[{address}]" if ":" in address else address
    # A second resolution by the client could give another address (DNS rebinding), so it gets the literal one.
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
                f"{host} is on a private network: name it in PAPERBOY_ALLOWED_HOSTS if that is intended"
            )
    return addresses[0]


def _read_answer(response: httpx.Response, url: str, known: Validators, deadline: float) -> Fetched:
    if response.status_code == httpx.codes.NOT_MODIFIED:
        return Fetched(url, None, known)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        wait = response.headers.get("retry-after", "a while")[:40]
        raise FeedError(f"{url} has too many requests (429, retry after {wait}): nothing was read")
    if response.status_code != httpx.codes.OK:
        raise FeedError(f"{url} answered {response.status_code}: nothing was read")
    validators = Validators(_validator(response, "etag"), _validator(response, "last-modified"))
    return Fetched(
        url, _read_body(response, url, deadline), validators, response.headers.get("content-type", "")
    )


def _validator(response: httpx.Response, name: str) -> str | None:
    """A validator that can be sent back exactly as it came, or None for any other."""
    value = response.headers.get(name, "")
    is_sendable = value.isascii() and value.isprintable() and 0 < len(value) <= MAX_VALIDATOR_CHARACTERS
    return value if is_sendable else None


def _read_body(response: httpx.Response, url: str, deadline: float) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip"}:
        raise FeedError(f"{url} answered in an encoding that was not requested ({encoding[:40]})")
    decompressor = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    body = bytearray()
    for chunk in response.iter_raw():
        # Each chunk is decompressed only up to the limit, because a few kilobytes can hold gigabytes.
        body += decompressor.decompress(chunk, MAX_BYTES + 1 - len(body)) if decompressor else chunk
        if len(body) > MAX_BYTES:
            raise FeedError(f"{url} is larger than {MAX_BYTES // 1024 // 1024} MB")
        if time.monotonic() > deadline:
            raise FeedError(f"{url} took longer than {MAX_SECONDS} seconds")
    if decompressor and not decompressor.eof:
        raise FeedError(f"{url} was cut off in the middle")
    return bytes(body)
