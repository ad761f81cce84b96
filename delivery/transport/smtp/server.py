"""SMTP servers: how their URLs are read, and how one of them is reached."""

import asyncio
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from core.errors import PaperboyError
from delivery.transport.smtp.protocol import SmtpProtocol, one_line
from delivery.transport.smtp.replies import SmtpError

CONNECT_TIMEOUT_SECONDS = 60  # for the name and all addresses of a host together

Security = Literal["none", "starttls", "if-offered", "tls"]
_SECURITY: dict[str, Security] = {"required": "starttls", "if-offered": "if-offered", "never": "none"}
_EXAMPLE = "smtp://user:pass@host:587?starttls=required"


class SmtpUrlError(PaperboyError):
    """PAPERBOY_SMTP_URL cannot be used. One line says what is wrong."""


@dataclass(frozen=True)
class SmtpServer:
    """A server and how to talk to it. `weight` is its share of the connections relative to other servers."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    weight: int = 1


def parse_smtp_urls(urls: str) -> tuple[SmtpServer, ...]:
    """The servers in a setting, separated by white space.

    Raises:
        SmtpUrlError: as `parse_smtp_url`, or there is none.
    """
    if not urls.split():
        raise SmtpUrlError("PAPERBOY_SMTP_URL is empty: write smtp://host, or leave it out")
    return tuple(parse_smtp_url(url) for url in urls.split())


def parse_smtp_url(url: str) -> SmtpServer:
    """A server from its URL, `smtp://user:pass@host:587?starttls=required&ca=FILE&weight=N` or `smtps://…`.

    A user name and password are never sent without encryption.

    Raises:
        SmtpUrlError: the URL has another form, or its `ca` names a file that does not exist.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SmtpUrlError(f"PAPERBOY_SMTP_URL is not a URL: write {_EXAMPLE}") from None
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    weight = options.pop("weight", "1")
    starttls = options.pop("starttls", "required" if parts.username else "if-offered")
    ca_file = options.pop("ca", "")
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or options:
        raise SmtpUrlError(f"PAPERBOY_SMTP_URL must look like {_EXAMPLE} or smtps://…")
    if starttls not in _SECURITY:
        raise SmtpUrlError("PAPERBOY_SMTP_URL: starttls is required, if-offered or never")
    if not (weight.isascii() and weight.isdigit() and int(weight) > 0):
        raise SmtpUrlError("PAPERBOY_SMTP_URL: weight is a whole number from 1")
    if parts.username and parts.scheme == "smtp" and starttls != "required":
        raise SmtpUrlError("PAPERBOY_SMTP_URL: a password needs starttls=required or smtps://")
    security: Security = _SECURITY[starttls] if parts.scheme == "smtp" else "tls"
    port = port or (465 if parts.scheme == "smtps" else 587 if parts.username else 25)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user + password).isascii():
        raise SmtpUrlError("PAPERBOY_SMTP_URL: name and password can only hold ASCII (RFC 4954)")
    if ca_file and not Path(ca_file).is_file():
        raise SmtpUrlError(f"PAPERBOY_SMTP_URL: there is no file {ca_file}")
    return SmtpServer(parts.hostname, port, security, user, password, ca_file, int(weight))


async def reach(host: str, port: int) -> SmtpProtocol:
    """A connection to the first of a host's addresses that answers.

    Each address gets its share of the time, because an IPv6 address may lead nowhere while an IPv4 one answers.

    Raises:
        SmtpError: of phase connect; no address answers.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + CONNECT_TIMEOUT_SECONDS
    error = SmtpError("connect", 0, f"{host} has no address")
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS / 2):
            addresses = await resolve(host, port)
    except TimeoutError:
        raise SmtpError("connect", 0, f"{host} was not found in half a minute") from None
    except (OSError, ValueError) as failure:  # ValueError: not a host name
        raise SmtpError("connect", 0, one_line(failure)) from None
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            async with asyncio.timeout((deadline - loop.time()) / left):
                _, protocol = await loop.create_connection(SmtpProtocol, *address)
                return protocol
        except TimeoutError:
            error = SmtpError("connect", 0, "no connection within a minute")
        except OSError as failure:
            error = SmtpError("connect", 0, one_line(failure))
    raise error


async def resolve(host: str, port: int) -> list[tuple[str, int]]:
    """The addresses of a host. IPv6 addresses keep their zones (RFC 4007, 11)."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    return [(socket.getnameinfo(address, numeric)[0], port) for *_, address in found]
