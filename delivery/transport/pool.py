"""The SMTP transport of a run: several servers share its connections, and each client keeps its connection open."""

import time
from collections.abc import Sequence

from delivery.transport.smtp.connection import SmtpConnection, connect
from delivery.transport.smtp.protocol import NO_ANSWER
from delivery.transport.smtp.replies import SmtpError
from delivery.transport.smtp.server import SmtpServer
from emails.message import Message

MAX_MESSAGES_PER_CONNECTION = 500
UNREACHABLE_PAUSE_SECONDS = 60  # without an attempt at a server that could not be reached, while another can


class SmtpPool:
    """A transport over one or more SMTP servers, each of which gets its share of the connections."""

    def __init__(self, servers: Sequence[SmtpServer]) -> None:
        self._servers = servers
        self._usage = dict.fromkeys(servers, 0.0)  # connections of each server, divided by its weight
        self._unreachable_until = dict.fromkeys(servers, 0.0)

    def client(self) -> "SmtpClient":
        """One of the connections of a run, which is not open yet."""
        return SmtpClient(self)

    async def open(self) -> SmtpConnection:
        """A connection to the server whose turn it is, or to another one that can be reached.

        Raises:
            SmtpError: no server can be reached; it is the error of the last one.
        """
        last_error: SmtpError | None = None
        for server in self._in_order_of_use():
            self._usage[server] += 1 / server.weight
            try:
                return await connect(server)
            except SmtpError as error:
                last_error = error
                self._unreachable_until[server] = time.monotonic() + UNREACHABLE_PAUSE_SECONDS
        assert last_error is not None, "a transport has at least one server"  # noqa: S101
        raise last_error

    def _in_order_of_use(self) -> list[SmtpServer]:
        now = time.monotonic()
        return sorted(
            self._servers, key=lambda server: (self._unreachable_until[server] > now, self._usage[server])
        )


class SmtpClient:
    """A connection that opens with the first message, stays open for the next ones, and is renewed when it ends."""

    def __init__(self, pool: SmtpPool) -> None:
        self._pool = pool
        self._connection: SmtpConnection | None = None
        self._sent = 0
        self._sends_ahead = True

    async def send(self, message: Message, following: Message | None = None) -> str:
        """Send a message and return the server's reply; the `following` one is opened ahead where possible.

        Raises:
            SmtpError: the message was not accepted, or nobody knows whether it was (phase `ack`, code 0).
        """
        connection, was_used = await self._ready(message)
        is_opened_ahead = connection.is_opened_ahead(message)
        try:
            return await self._send(connection, message, following)
        except SmtpError as error:
            if not (was_used and _ended_between_messages(error, is_opened_ahead)):
                raise
            # A server that ignores commands after a text would make every message wait for the timeout.
            if is_opened_ahead and error.text == NO_ANSWER:
                self._sends_ahead = False
        connection, _ = await self._ready(message)
        return await self._send(connection, message, following)

    async def close(self) -> None:
        """Close the connection, if it is open."""
        if self._connection:
            await self._connection.close()
            self._connection = None

    async def _ready(self, message: Message) -> tuple[SmtpConnection, bool]:
        """An open connection, and whether it has been used before."""
        if (
            self._connection
            and self._connection.can_send(message)
            and self._sent < MAX_MESSAGES_PER_CONNECTION
        ):
            return self._connection, True
        await self.close()
        self._sent = 0
        self._connection = await self._pool.open()
        return self._connection, False

    async def _send(self, connection: SmtpConnection, message: Message, following: Message | None) -> str:
        self._sent += 1
        may_open_ahead = self._sends_ahead and self._sent < MAX_MESSAGES_PER_CONNECTION
        return await connection.send(message, following if may_open_ahead else None)


def _ended_between_messages(error: SmtpError, is_opened_ahead: bool) -> bool:
    """Whether the server ended an idle or long connection, as it may (RFC 5321, 3.8).

    That shows with the first command of a message; if the message was opened ahead, with any of its commands.
    """
    phases = {"mail", "rcpt", "data"} if is_opened_ahead else {"mail"}
    return error.code in {0, 421} and error.phase in phases
