"""The wire of an SMTP connection: bytes out, replies in, each waited for until a deadline (RFC 5321, 4.2)."""

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from delivery.transport.smtp.tls import CLOSED, Tls

SILENT = "no answer in time"
TAIL = 1024  # octets at most of the commands that leave with a text
_LONGEST_LINE = 4096  # octets of a reply's line; the RFC allows 512
_MOST_LINES = 100  # of one reply
_CODES = {str(code).encode(): code for code in range(200, 600)}


class Reply(NamedTuple):
    """What a server answered; `said` as it came, its lines with a line feed between them."""

    code: int
    said: bytes

    @property
    def text(self) -> str:
        """The words, without control signs within a line: they go into the database and into logs."""
        return "\n".join(map(_printable, self.said.decode("utf-8", "replace").split("\n")))

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class Channel(asyncio.Protocol):
    """An open connection. One task at a time waits for its replies."""

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque()  # come and not yet taken
        self.lost = ""  # why nothing more will come
        self.is_writing = False  # a text has not all left
        self._transport: asyncio.Transport | None = None
        self._tls: Tls | None = None
        self._handshake: asyncio.Future[None] | None = None
        self._received = b""
        self._lines: list[bytes] = []  # of a reply that goes on
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0  # of the present answer, by the clock of the loop
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """What asyncio has made for it."""
        assert self._transport is not None, "not connected yet"  # noqa: S101
        return self._transport

    @property
    def is_silent(self) -> bool:
        """Whether the server has said nothing that was not taken."""
        return not (self.replies or self._received or self._lines)

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The server's certificate as `SSLSocket.getpeercert` gives it; empty on an open line."""
        return self._tls.certificate if self._tls else {}

    def write(self, *parts: bytes) -> None:
        """Send something, if there is anyone to send it to."""
        if not self.lost:
            self.transport.writelines(self._sealed(parts))

    def write_text(self, *parts: bytes, commands: bytes = b"") -> None:
        """Send a text, and commands that follow it, fewer than a `TAIL`."""
        if self.lost:
            return
        self.transport.set_write_buffer_limits(high=1, low=0)
        self.transport.writelines(self._sealed(parts))
        if commands:
            # Apart, and too few to count: nobody could tell else that the text has left while these have not.
            tail = self._sealed([commands])
            size = sum(map(len, tail))
            self.transport.set_write_buffer_limits(high=size, low=size)
            self.transport.writelines(tail)

    async def hear(self, count: int, seconds: float) -> None:
        """Wait until so many replies are there, or nothing more will come."""
        if len(self.replies) >= count or self.lost:
            return
        loop = asyncio.get_running_loop()
        self._wanted, self._waiter = count, loop.create_future()
        self._watch(loop.time() + seconds)
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def encrypt(self, context: ssl.SSLContext, host: str, seconds: float) -> None:
        """Go on in TLS with a server of that name.

        Raises:
            OSError, ValueError: the handshake failed.
        """
        if self.lost:
            raise ConnectionError(self.lost)
        self._tls = Tls(context, host)
        self._handshake = asyncio.get_running_loop().create_future()
        self._unsealed(self._tls, b"")  # begins it
        try:
            async with asyncio.timeout(seconds):
                await self._handshake
        except TimeoutError:
            raise TimeoutError("no handshake in time") from None

    def break_off(self, reason: str) -> None:
        """Leave without a word."""
        self.lost = self.lost or reason
        if self._transport:
            self._transport.abort()
        self._wake()

    def _watch(self, deadline: float) -> None:
        """Break off at the deadline, unless the answer is there by then or a later deadline is set."""
        self._deadline = deadline
        # One alarm for many answers: to set and cancel one for each takes longer than to read it.
        if self._alarm is None or self._alarm.when() > deadline:
            self._set_alarm()

    def _set_alarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if self._waiter is None:
            return
        if asyncio.get_running_loop().time() < self._deadline:
            self._set_alarm()
        else:
            self.break_off(SILENT)

    def _sealed(self, parts: Sequence[bytes]) -> Sequence[bytes]:
        if self._tls is None:
            return parts
        try:
            return [self._tls.seal(b"".join(parts))]
        except ssl.SSLError as error:
            self.is_writing = True  # and nothing of it leaves
            self.break_off(words(error))
            return []

    def _unsealed(self, tls: Tls, data: bytes) -> bytes:
        said = tls.take_in(data)
        # Behind a text it would be taken for a part of it: it goes with what is said next.
        if not self.is_writing and (going := tls.going()):
            self.transport.write(going)
        if self._handshake and not self._handshake.done():
            if tls.fault:
                self._handshake.set_exception(tls.fault)
            elif tls.is_open:
                self._handshake.set_result(None)
        return said

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    # --- what asyncio calls ---------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are of no such class

    def pause_writing(self) -> None:
        """Something waits to leave."""
        self.is_writing = True

    def resume_writing(self) -> None:
        """All has left, or all but commands behind a text."""
        self.is_writing = False

    def data_received(self, data: bytes) -> None:
        """A piece of what the server says."""
        if self._tls:
            data = self._unsealed(self._tls, data)
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            if self.lost:  # what follows garbage answers nothing
                return
            self._take(line.rstrip())
        if len(self._received) > _LONGEST_LINE:
            self.break_off("the server sent a line without an end")
        if self._tls and self._tls.fault:  # a server that says no more may hear on: nothing more shall leave
            self.break_off(words(self._tls.fault))
        if len(self.replies) >= self._wanted:
            self._wake()

    def _take(self, line: bytes) -> None:
        code, sign, said = _CODES.get(line[:3]), line[3:4], line[4:]
        if code is None or sign not in b" -" or len(line) > _LONGEST_LINE or len(self._lines) >= _MOST_LINES:
            self.break_off(f"no SMTP reply: {line[:80].decode('utf-8', 'replace')!r}")
            return
        if self._lines or sign == b"-":
            self._lines.append(said)
            if sign == b"-":
                return
            said, self._lines = b"\n".join(self._lines), []
        self.replies.append(Reply(code, said))

    def eof_received(self) -> bool:
        """The server has left; what it said before counts."""
        self.lost = self.lost or CLOSED
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The end."""
        self.lost = self.lost or (words(error) if error else CLOSED)
        if self._handshake and not self._handshake.done():
            self._handshake.set_exception(ConnectionError(self.lost))
        self._wake()


def words(error: Exception) -> str:
    """What went wrong, in one line."""
    return (str(error) or type(error).__name__).splitlines()[0]


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else " " for sign in text).rstrip()
