"""One SMTP connection (RFC 5321), pipelined where the server supports it (RFC 2920).

This is our own client, because no library tells exactly when the whole text has been sent. Every error names its
phase, so nobody has to guess whether a message was accepted.

**Sending ahead.** Opening a message takes one round trip (MAIL, RCPT and DATA), and its text takes another. RFC 2920
(3.1) allows the client to send the opening commands of the *next* message in the same packet as the end of this
message's text. The server then answers the text and the next opening together, and each message takes one round trip
instead of two. That doubles the throughput of a server that is 20 ms away.
"""

import asyncio
import base64
import socket
import ssl
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from delivery.transport.smtp.opening import (
    OPENING_STEPS,
    RESET_STEP,
    commands_ahead,
    join_lines,
    opening_commands,
)
from delivery.transport.smtp.protocol import Reply, SmtpProtocol, one_line
from delivery.transport.smtp.replies import Phase, SmtpError
from delivery.transport.smtp.server import CONNECT_TIMEOUT_SECONDS, SmtpServer, reach
from emails.message import Message

# Seconds (RFC 5321, 4.5.3.2). Shorter ones would make duplicates. `ack` includes sending the text.
_TIMEOUTS: dict[Phase, int] = {
    "connect": CONNECT_TIMEOUT_SECONDS,
    "ehlo": 300,
    "tls": 60,
    "login": 60,
    "mail": 300,
    "rcpt": 300,
    "data": 120,
    "ack": 600,
}
_QUIT_TIMEOUT_SECONDS = 5


async def connect(server: SmtpServer) -> "SmtpConnection":
    """A connection that has been greeted, encrypted and logged in as the server's settings ask.

    Raises:
        SmtpError: of phase connect, ehlo, tls or login.
    """
    connection = SmtpConnection(await reach(server.host, server.port))
    try:
        if server.security == "tls":
            await connection.encrypt(server.ca_file, server.host)
        await connection.greet()
        if server.security == "starttls" or (
            server.security == "if-offered" and "STARTTLS" in connection.extensions
        ):
            await connection.start_tls(server.ca_file, server.host)
        if server.user:
            await connection.log_in(server.user, server.password)
    except BaseException:
        connection.abort()
        raise
    return connection


class SmtpConnection:
    """A connection to one server. One task at a time uses it."""

    def __init__(self, protocol: SmtpProtocol) -> None:
        self.extensions: dict[str, str] = {}
        self._protocol = protocol
        self._must_reset = False
        self._opened_ahead: Message | None = None  # its opening commands have been sent, its text has not

    def can_send(self, message: Message) -> bool:
        """Whether the message can be attempted.

        It cannot if the server has closed the connection or announced that it will, or waits for the text of another
        message that was opened ahead.
        """
        if self._opened_ahead is None:
            return not (self._protocol.closed_because or self._protocol.replies)
        has_expected_replies = len(self._protocol.replies) <= len(OPENING_STEPS)
        return message is self._opened_ahead and not self._protocol.closed_because and has_expected_replies

    def is_opened_ahead(self, message: Message) -> bool:
        """Whether the opening commands of the message have been sent already."""
        return message is self._opened_ahead

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The server's certificate as `SSLSocket.getpeercert` returns it, or empty without TLS."""
        return self._protocol.certificate

    # --- opening the connection -----------------------------------------------------

    async def greet(self) -> None:
        """Receive the server's greeting, and ask what it supports."""
        await self._expect("connect", 2)
        await self._hello()

    async def start_tls(self, ca_file: str, host: str) -> None:
        """Encrypt everything that follows (RFC 3207). `ca_file` names the authorities to trust, or is empty."""
        if "STARTTLS" not in self.extensions:
            raise SmtpError("tls", 0, "the server does not offer STARTTLS")
        await self._command("tls", "STARTTLS", 2)
        # Anything received before the handshake could have been injected by somebody in between.
        if not self._protocol.has_received_nothing:
            raise SmtpError("tls", 0, "the server sent more before the encryption began")
        await self.encrypt(ca_file, host)
        await self._hello()

    async def encrypt(self, ca_file: str, host: str) -> None:
        """Continue in TLS, with a trusted server of this name."""
        try:
            await self._protocol.start_tls(_tls_context(ca_file), host, _TIMEOUTS["tls"])
        except (OSError, ValueError) as error:
            raise SmtpError("tls", 0, one_line(error)) from None

    async def log_in(self, user: str, password: str) -> None:
        """Log in (RFC 4954) by PLAIN or LOGIN."""
        offered = self.extensions.get("AUTH", "").upper().split()
        if "PLAIN" in offered:
            await self._command("login", f"AUTH PLAIN {_base64(chr(0).join(('', user, password)))}", 2)
        elif "LOGIN" in offered:
            await self._command("login", "AUTH LOGIN", 3)
            await self._command("login", _base64(user), 3)
            await self._command("login", _base64(password), 2)
        else:
            raise SmtpError("login", 0, "the server offers no login by PLAIN or LOGIN")

    async def try_sender(self, envelope_from: str) -> None:
        """Ask whether the server accepts mails from a sender, without sending one.

        Raises:
            SmtpError: it does not.
        """
        await self._command("mail", f"MAIL FROM:<{envelope_from}>", 2)
        await self._command("mail", "RSET", 2)

    # --- sending --------------------------------------------------------------------

    async def send(self, message: Message, following: Message | None = None) -> str:
        """Send a message and return the server's reply to its final dot.

        If the server supports pipelining, the `following` message is opened ahead. Only that message can be sent
        next on this connection.

        Raises:
            SmtpError: the message was not accepted, or nobody knows whether it was (phase `ack`, code 0).
        """
        try:
            return await self._send(message, following)
        except asyncio.CancelledError:
            # In the middle of a dialogue, the server would misunderstand what follows.
            self.abort()
            raise

    async def close(self) -> None:
        """Say QUIT, unless the connection is closed or the server waits for a text."""
        try:
            if not (self._protocol.closed_because or self._opened_ahead):
                self._protocol.write(b"QUIT\r\n")
                await self._protocol.wait_for_replies(1, _QUIT_TIMEOUT_SECONDS)
        finally:
            self.abort()

    def abort(self) -> None:
        """Close the connection without a word."""
        self._protocol.abort("closed")

    async def _send(self, message: Message, following: Message | None) -> str:
        if message is self._opened_ahead:
            self._opened_ahead = None
            await self._expect_all(OPENING_STEPS)
        else:
            await self._open(message)
        if self._protocol.closed_because or self._protocol.replies:  # the server left just before the text
            text = str(self._protocol.replies[0]) if self._protocol.replies else self._protocol.closed_because
            self.abort()
            raise SmtpError("data", 0, text)
        commands = commands_ahead(following, self.extensions)
        self._opened_ahead = following if commands else None
        self._protocol.write_text(*message.parts, b".\r\n", commands=commands)
        reply = await self._next_reply("ack")
        if self._protocol.is_writing:  # a reply to an incomplete text cannot mean that it was accepted
            self.abort()
            self._check("body", reply, 0)
        self._check("ack", reply, 2)
        self._must_reset = bool(commands)
        return str(reply)

    async def _open(self, message: Message) -> None:
        """Send the sender and the recipient, so that the text can follow."""
        steps, lines = OPENING_STEPS, opening_commands(message, self.extensions)
        if self._must_reset:
            steps, lines = (RESET_STEP, *steps), ["RSET", *lines]
        self._must_reset = True
        if "PIPELINING" in self.extensions:
            self._protocol.write(join_lines(lines))
            await self._expect_all(steps)
        else:
            for (phase, digit), line in zip(steps, lines, strict=True):
                await self._command(phase, line, digit)

    # --- commands and replies -------------------------------------------------------

    async def _hello(self) -> None:
        name = await asyncio.to_thread(_own_host_name)
        self._protocol.write(f"EHLO {name}\r\n".encode())
        reply = await self._next_reply("ehlo")
        if reply.code // 100 == 5:
            await self._command("ehlo", f"HELO {name}", 2)
            self.extensions = {}
            return
        self._check("ehlo", reply, 2)
        offers = (line.partition(" ") for line in reply.text.split("\n")[1:])
        self.extensions = {name.upper(): value for name, _, value in offers}

    async def _expect_all(self, steps: Sequence[tuple[Phase, int]]) -> None:
        """Receive the replies to commands that were sent together. Raises the first error among them."""
        replies = self._protocol.replies
        await self._protocol.wait_for_replies(len(steps), _TIMEOUTS["mail"])
        last: Reply | None = None
        first_error: SmtpError | None = None
        for phase, digit in steps:
            if not replies:
                raise first_error or SmtpError(phase, 0, self._protocol.closed_because)
            last = replies.popleft()
            try:
                self._check(phase, last, digit)
            except SmtpError as error:
                first_error = first_error or error
        if first_error:
            # The server may have accepted DATA all the same. An empty text ends it (RFC 2920, 3.1).
            if last and last.code // 100 == 3:
                self._protocol.write(b".\r\n")
                await self._protocol.wait_for_replies(1, _TIMEOUTS["ack"])
                replies.clear()
            raise first_error

    async def _command(self, phase: Phase, line: str, digit: int) -> Reply:
        self._protocol.write(f"{line}\r\n".encode())
        return await self._expect(phase, digit)

    async def _expect(self, phase: Phase, digit: int) -> Reply:
        reply = await self._next_reply(phase)
        self._check(phase, reply, digit)
        return reply

    async def _next_reply(self, phase: Phase) -> Reply:
        protocol = self._protocol
        await protocol.wait_for_replies(1, _TIMEOUTS[phase])
        if not protocol.replies:
            # Without the final dot the server cannot have accepted the message (RFC 5321, 4.1.1.4).
            is_incomplete = phase == "ack" and protocol.is_writing
            raise SmtpError("body" if is_incomplete else phase, 0, protocol.closed_because)
        return protocol.replies.popleft()

    def _check(self, phase: Phase, reply: Reply, digit: int) -> None:
        if reply.code // 100 == digit:
            return
        if reply.code == 421:  # the server closes the connection (RFC 5321, 3.8)
            self.abort()
        if reply.code // 100 in {4, 5}:
            raise SmtpError(phase, reply.code, reply.text)
        self.abort()
        raise SmtpError(phase, 0, f"unexpected reply: {reply}")


@cache  # creating a context reads all trusted certificates
def _tls_context(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    context.options |= ssl.OP_NO_RENEGOTIATION  # a text would have to wait in the middle of it
    return context


@cache  # it asks a name server, perhaps for seconds
def _own_host_name() -> str:
    return socket.getfqdn()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
