"""The bytes of an SMTP connection: commands and texts out, replies in, each awaited until a deadline (RFC 5321, 4.2)."""

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from delivery.transport.smtp.tls import CLOSED, TlsSession

NO_ANSWER = "no answer in time"
MAX_COMMANDS_AHEAD_BYTES = 1024  # of commands that are sent together with a text
MAX_REPLY_LINE_BYTES = 4096  # the RFC allows 512
MAX_REPLY_LINES = 100
_CODES = {str(code).encode(): code for code in range(200, 600)}


class Reply(NamedTuple):
    """A server's reply. `raw` is its text as received, with a line feed between its lines."""

    code: int
    raw: bytes

    @property
    def text(self) -> str:
        """The text without control characters within a line, because it goes into the database and into logs."""
        return "\n".join(map(_printable, self.raw.decode("utf-8", "replace").split("\n")))

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class SmtpProtocol(asyncio.Protocol):
    """An open connection. One task at a time waits for its replies."""

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque()  # received and not yet taken
        self.closed_because = ""  # why nothing more will be received
        self.is_writing = False  # a part of a text has not been sent yet
        self._transport: asyncio.Transport | None = None
        self._tls: TlsSession | None = None
        self._handshake: asyncio.Future[None] | None = None
        self._received = b""  # an incomplete line
        self._reply_lines: list[bytes] = []  # of a reply that is incomplete
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0  # of the present wait, by the clock of the event loop
        self._timer: asyncio.TimerHandle | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """The transport that asyncio has made for the connection."""
        assert self._transport is not None, "not connected yet"  # noqa: S101
        return self._transport

    @property
    def has_received_nothing(self) -> bool:
        """Whether the server has sent nothing that was not taken."""
        return not (self.replies or self._received or self._reply_lines)

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The server's certificate as `SSLSocket.getpeercert` returns it, or empty without TLS."""
        return self._tls.certificate if self._tls else {}

    def write(self, *parts: bytes) -> None:
        """Send something, unless the connection is closed."""
        if not self.closed_because:
            self.transport.writelines(self._encrypted(parts))

    def write_text(self, *parts: bytes, commands: bytes = b"") -> None:
        """Send a text, and after it the commands of the next message (at most MAX_COMMANDS_AHEAD_BYTES).

        `is_writing` becomes false when the whole text has been handed to the operating system.
        """
        if self.closed_because:
            return
        # With these limits, asyncio calls pause_writing at the first byte that has to wait, and resume_writing when
        # none is left.
        self.transport.set_write_buffer_limits(high=1, low=0)
        self.transport.writelines(self._encrypted(parts))
        if commands:
            # The commands must not count: the text has been sent when at most the commands are left in the buffer.
            tail = self._encrypted([commands])
            size = sum(map(len, tail))
            self.transport.set_write_buffer_limits(high=size, low=size)
            self.transport.writelines(tail)

    async def wait_for_replies(self, count: int, seconds: float) -> None:
        """Wait until there are so many replies, or no more will be received."""
        if len(self.replies) >= count or self.closed_because:
            return
        loop = asyncio.get_running_loop()
        self._wanted, self._waiter = count, loop.create_future()
        self._set_deadline(loop.time() + seconds)
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def start_tls(self, context: ssl.SSLContext, host: str, seconds: float) -> None:
        """Continue in TLS with a server of this name.

        Raises:
            OSError, ValueError: the handshake failed.
        """
        if self.closed_because:
            raise ConnectionError(self.closed_because)
        self._tls = TlsSession(context, host)
        self._handshake = asyncio.get_running_loop().create_future()
        self._decrypted(self._tls, b"")  # sends the first message of the handshake
        try:
            async with asyncio.timeout(seconds):
                await self._handshake
        except TimeoutError:
            raise TimeoutError("no handshake in time") from None

    def abort(self, reason: str) -> None:
        """Close the connection without a word."""
        self.closed_because = self.closed_because or reason
        if self._transport:
            self._transport.abort()
        self._wake()

    def _set_deadline(self, deadline: float) -> None:
        """Abort at the deadline, unless the replies are there by then or a later deadline is set."""
        self._deadline = deadline
        # One timer serves many replies: setting and cancelling one for each takes longer than reading the reply.
        if self._timer is None or self._timer.when() > deadline:
            self._start_timer()

    def _start_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if asyncio.get_running_loop().time() < self._deadline:
            self._start_timer()
        else:
            self.abort(NO_ANSWER)

    def _encrypted(self, parts: Sequence[bytes]) -> Sequence[bytes]:
        if self._tls is None:
            return parts
        try:
            return [self._tls.encrypt(b"".join(parts))]
        except ssl.SSLError as error:
            self.is_writing = True  # nothing of the text will be sent
            self.abort(one_line(error))
            return []

    def _decrypted(self, tls: TlsSession, data: bytes) -> bytes:
        text = tls.decrypt(data)
        # While a text is being sent, an alert would be counted as a part of it. It is sent with the next write.
        if not self.is_writing and (pending := tls.pending()):
            self.transport.write(pending)
        if self._handshake and not self._handshake.done():
            if tls.fault:
                self._handshake.set_exception(tls.fault)
            elif tls.is_open:
                self._handshake.set_result(None)
        return text

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    # --- called by asyncio ----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are not of this class

    def pause_writing(self) -> None:
        """Something has to wait before it can be sent."""
        self.is_writing = True

    def resume_writing(self) -> None:
        """Everything has been sent, except perhaps commands after a text."""
        self.is_writing = False

    def data_received(self, data: bytes) -> None:
        """The server sent some bytes."""
        if self._tls:
            data = self._decrypted(self._tls, data)
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            if self.closed_because:  # whatever follows a malformed line answers nothing
                return
            self._take_line(line.rstrip())
        if len(self._received) > MAX_REPLY_LINE_BYTES:
            self.abort("the server sent a line that does not end")
        # After close_notify the server may still listen, but nothing more is sent.
        if self._tls and self._tls.fault:
            self.abort(one_line(self._tls.fault))
        if len(self.replies) >= self._wanted:
            self._wake()

    def _take_line(self, line: bytes) -> None:
        code, separator, text = _CODES.get(line[:3]), line[3:4], line[4:]
        is_too_long = len(line) > MAX_REPLY_LINE_BYTES or len(self._reply_lines) >= MAX_REPLY_LINES
        if code is None or separator not in b" -" or is_too_long:
            self.abort(f"not an SMTP reply: {line[:80].decode('utf-8', 'replace')!r}")
            return
        if self._reply_lines or separator == b"-":
            self._reply_lines.append(text)
            if separator == b"-":
                return
            text, self._reply_lines = b"\n".join(self._reply_lines), []
        self.replies.append(Reply(code, text))

    def eof_received(self) -> bool:
        """The server closed its side. What it sent before still counts."""
        self.closed_because = self.closed_because or CLOSED
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is closed."""
        self.closed_because = self.closed_because or (one_line(error) if error else CLOSED)
        if self._handshake and not self._handshake.done():
            self._handshake.set_exception(ConnectionError(self.closed_because))
        self._wake()


def one_line(error: Exception) -> str:
    """What went wrong, in one line."""
    return (str(error) or type(error).__name__).splitlines()[0]


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text).rstrip()
