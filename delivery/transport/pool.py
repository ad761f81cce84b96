"""The mail servers of a run: where they are, which one the next connection goes to, connections kept open."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from delivery.transport.smtp.connection import Connection, SmtpAddress, connect
from delivery.transport.smtp.protocol import SILENT
from delivery.transport.smtp.replies import Refusal
from emails.message import Message

MESSAGES_PER_CONNECTION = 500
_AVOIDED = 60  # seconds without a try at a server that could not be reached, while another can


class AddressError(Exception):
    """PAPERBOY_SMTP_URL cannot be used; one line that says what is wrong."""


def parse_addresses(urls: str) -> tuple[SmtpAddress, ...]:
    """The SMTP addresses in a setting, with white space between them.

    Raises:
        AddressError: as `parse_address`; or there is none.
    """
    if not urls.split():
        raise AddressError("PAPERBOY_SMTP_URL is empty: write smtp://host, or leave it out")
    return tuple(parse_address(url) for url in urls.split())


def parse_address(url: str) -> SmtpAddress:
    """An SMTP address from its URL; a name and password never go over an open line.

    Raises:
        AddressError: the URL is not of the form above, or its `ca` names no file.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressError(
            "PAPERBOY_SMTP_URL is no address: write smtp://user:pass@host:587?starttls=required"
        ) from None
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    weight = options.pop("weight", "1")
    starttls = options.pop("starttls", "required" if parts.username else "if-offered")
    ca_file = options.pop("ca", "")
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or options:
        raise AddressError(
            "PAPERBOY_SMTP_URL must look like smtp://user:pass@host:587?starttls=required or smtps://…"
        )
    if starttls not in {"required", "if-offered", "never"}:
        raise AddressError("PAPERBOY_SMTP_URL: starttls is required, if-offered or never")
    if not (weight.isascii() and weight.isdigit() and int(weight) > 0):
        raise AddressError("PAPERBOY_SMTP_URL: weight is a whole number from 1")
    if parts.username and parts.scheme == "smtp" and starttls != "required":
        raise AddressError("PAPERBOY_SMTP_URL: a password needs starttls=required or smtps://")
    security: Literal["none", "starttls", "if-offered", "tls"] = "tls"
    if parts.scheme == "smtp":
        security = {"required": "starttls", "never": "none"}.get(starttls, "if-offered")  # type: ignore[assignment]
    port = port or (465 if parts.scheme == "smtps" else 587 if parts.username else 25)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user + password).isascii():
        raise AddressError("PAPERBOY_SMTP_URL: name and password can only hold ASCII (RFC 4954)")
    if ca_file and not Path(ca_file).is_file():
        raise AddressError(f"PAPERBOY_SMTP_URL: there is no file {ca_file}")
    return SmtpAddress(parts.hostname, port, security, user, password, ca_file, int(weight))


class Transport:
    """The servers that take a run's mails, each its share of the connections."""

    def __init__(self, servers: Sequence[SmtpAddress]) -> None:
        self._servers = servers
        self._turns = dict.fromkeys(servers, 0.0)  # how many connections each had, by its weight
        self._down_until = dict.fromkeys(servers, 0.0)

    def line(self) -> "Line":
        """One of the connections of a run, not yet open."""
        return Line(self)

    async def open(self) -> Connection:
        """A connection to the server whose turn it is, or to another one that can be reached.

        Raises:
            Refusal: none can be; it tells of the last one tried.
        """
        refusal: Refusal | None = None
        for server in self._in_turn():
            self._turns[server] += 1 / server.weight
            try:
                return await connect(server)
            except Refusal as found:
                refusal = found
                self._down_until[server] = time.monotonic() + _AVOIDED
        assert refusal is not None, "a transport has a server"  # noqa: S101
        raise refusal

    def _in_turn(self) -> list[SmtpAddress]:
        now = time.monotonic()
        return sorted(self._servers, key=lambda server: (self._down_until[server] > now, self._turns[server]))


class Line:
    """A connection that is opened at the first message, kept for the next ones, and renewed when it ends."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._connection: Connection | None = None
        self._sent = 0
        self._sends_ahead = True

    async def send(self, message: Message, following: Message | None = None) -> str:
        """Hand a message over and return the server's reply to its final dot; the `following` one will most
        likely be the next.

        Raises:
            Refusal: it was not taken, or nobody knows (phase `ack`, code 0).
        """
        connection, is_used = await self._ready(message)
        has_begun = connection.has_begun(message)
        try:
            return await self._send(connection, message, following)
        except Refusal as refusal:
            if not (is_used and _ended_between_messages(refusal, has_begun)):
                raise
            if has_begun and refusal.text == SILENT:  # it drops what comes with a text, and would each time
                self._sends_ahead = False
        connection, _ = await self._ready(message)
        return await self._send(connection, message, following)

    async def _ready(self, message: Message) -> tuple[Connection, bool]:
        """An open connection, and whether it has served before."""
        if (
            self._connection
            and self._connection.is_ready_for(message)
            and self._sent < MESSAGES_PER_CONNECTION
        ):
            return self._connection, True
        await self.close()
        self._sent = 0
        self._connection = await self._transport.open()
        return self._connection, False

    async def _send(self, connection: Connection, message: Message, following: Message | None) -> str:
        self._sent += 1
        goes_ahead = self._sends_ahead and self._sent < MESSAGES_PER_CONNECTION
        return await connection.send(message, following if goes_ahead else None)

    async def close(self) -> None:
        """Say goodbye, if there is anyone to say it to."""
        if self._connection:
            await self._connection.close()
            self._connection = None


def _ended_between_messages(refusal: Refusal, has_begun: bool) -> bool:
    """Whether a server ended an idle or a long connection, as it may (RFC 5321, 3.8): with the first command
    of a message, or with any that left with the text before."""
    return refusal.code in {0, 421} and refusal.phase in ({"mail", "rcpt", "data"} if has_begun else {"mail"})


def send_one(transport: Transport, message: Message) -> str:
    """Send one message by itself and return the server's reply.

    Raises:
        Refusal: it was not taken, or nobody knows.
    """

    async def send() -> str:
        line = transport.line()
        try:
            return await line.send(message)
        finally:
            await line.close()

    return asyncio.run(send())
