"""One SMTP connection (RFC 5321): its dialogue, pipelined where the server can (RFC 2920).

Every refusal tells its phase, so that nobody has to guess whether a message was taken.
"""

import asyncio
import base64
import re
import socket
import ssl
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NamedTuple, cast

from emails.message import Message
from emails.replies import Phase, Refusal

_TIMEOUTS: dict[
    Phase, int
] = {  # seconds (RFC 5321, 4.5.3.2); shorter ones make duplicates; `ack` with the text
    "connect": 60,
    "ehlo": 300,
    "tls": 60,
    "login": 60,
    "mail": 300,
    "rcpt": 300,
    "data": 120,
    "ack": 600,
}
_LONGEST_LINE = 4096  # octets of a reply's line; the RFC allows 512
_MOST_LINES = 100  # of one reply
_REPLY = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?")
_GOODBYE = 5  # seconds to wait for the answer to QUIT


@dataclass(frozen=True)
class SmtpAddress:
    """A server and how to talk to it; `weight` is its share of the mails beside other servers."""

    host: str
    port: int
    security: Literal["none", "starttls", "if-offered", "tls"]
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    weight: int = 1


class _Reply(NamedTuple):
    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class _Step(NamedTuple):
    phase: Phase
    line: str
    good: int  # the first digit of the reply that lets the dialogue go on


async def connect(address: SmtpAddress) -> "Connection":
    """A connection that is greeted, secured and logged in as the address asks.

    Raises:
        Refusal: of phase connect, ehlo, tls or login.
    """
    loop = asyncio.get_running_loop()
    connection = Connection()
    try:
        implicit: dict[str, Any] = {}
        if address.security == "tls":
            implicit = {"ssl": _context(address.ca_file), "server_hostname": address.host}
        async with asyncio.timeout(_TIMEOUTS["connect"]):
            await loop.create_connection(lambda: connection, address.host, address.port, **implicit)
    except TimeoutError:
        raise Refusal("connect", 0, "no connection within a minute") from None
    except ssl.SSLError as error:
        raise Refusal("tls", 0, _words(error)) from None
    except (OSError, ValueError) as error:  # ValueError: no name of a host
        raise Refusal("connect", 0, _words(error)) from None
    try:
        await connection.greet()
        if address.security == "starttls" or (
            address.security == "if-offered" and "STARTTLS" in connection.extensions
        ):
            await connection.secure(address.ca_file, address.host)
        if address.user:
            await connection.log_in(address.user, address.password)
    except BaseException:
        connection.abort()
        raise
    return connection


class Connection(asyncio.Protocol):
    """An open connection. One task at a time talks over it."""

    def __init__(self) -> None:
        self.extensions: dict[str, str] = {}
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._lines: list[str] = []  # of a reply that goes on
        self._replies: deque[_Reply] = deque()
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None
        self._lost = ""  # why nothing more will come
        self._is_writing = False  # bytes given to the transport have not all left it
        self._needs_reset = False
        self._deadline = 0.0  # of the present answer, by the clock of the loop
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether another message can be tried: the server has neither left nor announced to."""
        return not self._lost and not self._replies

    async def greet(self) -> None:
        """Hear the server's greeting and ask what it can do."""
        await self._get("connect", 2)
        await self._hello()

    async def secure(self, ca_file: str, host: str) -> None:
        """Encrypt what follows (RFC 3207); `ca_file` names whom to trust, or nothing."""
        if "STARTTLS" not in self.extensions:
            raise Refusal("tls", 0, "the server does not offer STARTTLS")
        await self._do("tls", "STARTTLS", 2)
        if self._received or self._lines or self._replies:
            raise Refusal("tls", 0, "the server spoke on before the encryption began")
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(
                self._open_transport,
                self,
                _context(ca_file),
                server_hostname=host,
                ssl_handshake_timeout=_TIMEOUTS["tls"],
            )
        except (OSError, ValueError) as error:
            raise Refusal("tls", 0, _words(error)) from None
        if transport is None:
            raise Refusal("tls", 0, "the server closed the connection")
        self._begin(transport)
        await self._hello()

    async def log_in(self, user: str, password: str) -> None:
        """Name ourselves (RFC 4954), by PLAIN or LOGIN."""
        offered = self.extensions.get("AUTH", "").upper().split()
        if "PLAIN" in offered:
            await self._do("login", f"AUTH PLAIN {_packed(chr(0).join(('', user, password)))}", 2)
        elif "LOGIN" in offered:
            await self._do("login", "AUTH LOGIN", 3)
            await self._do("login", _packed(user), 3)
            await self._do("login", _packed(password), 2)
        else:
            raise Refusal("login", 0, "the server offers no login by PLAIN or LOGIN")

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The server's certificate as `SSLSocket.getpeercert` gives it; empty on an open line."""
        return self._open_transport.get_extra_info("peercert") or {}

    async def try_sender(self, envelope_from: str) -> None:
        """Hear whether the server takes mails of a sender, and send none.

        Raises:
            Refusal: it does not.
        """
        await self._do("mail", f"MAIL FROM:<{envelope_from}>", 2)
        await self._do("mail", "RSET", 2)

    async def send(self, message: Message) -> str:
        """Hand a message over and return the server's reply to its final dot.

        Raises:
            Refusal: it was not taken, or nobody knows (phase `ack`, code 0).
        """
        steps = self._steps(message)
        if "PIPELINING" in self.extensions:
            await self._say_at_once(steps)
        else:
            for step in steps:
                await self._do(step.phase, step.line, step.good)
        reply = await self._send_body(message.parts)
        self._needs_reset = False
        return str(reply)

    async def close(self) -> None:
        """Say goodbye, if there is anyone to say it to."""
        if not self._lost:
            self._write(b"QUIT\r\n")
            await self._gather(1, _GOODBYE)
        self.abort()

    def abort(self) -> None:
        """Leave without a word."""
        self._break_off("closed")

    # --- the dialogue ---------------------------------------------------------------

    async def _hello(self) -> None:
        self._write(f"EHLO {_own_name()}\r\n".encode())
        reply = await self._next("ehlo")
        if reply.code // 100 == 5:
            await self._do("ehlo", f"HELO {_own_name()}", 2)
            self.extensions = {}
            return
        self._check("ehlo", reply, 2)
        offers = (line.partition(" ") for line in reply.text.split("\n")[1:])
        self.extensions = {name.upper(): value for name, _, value in offers}

    def _steps(self, message: Message) -> list[_Step]:
        mail, rcpt = [f"MAIL FROM:<{message.envelope_from}>"], [f"RCPT TO:<{message.envelope_to}>"]
        if "SIZE" in self.extensions:
            self._check_size(message.size)
            mail.append(f"SIZE={message.size}")
        if not message.envelope_to.isascii():
            if "SMTPUTF8" not in self.extensions:
                raise Refusal("rcpt", 553, "5.6.7 the server takes only addresses in ASCII")
            mail.append("BODY=8BITMIME SMTPUTF8")
        if "DSN" in self.extensions:
            mail.append("RET=HDRS")
            rcpt.append("NOTIFY=FAILURE")
        steps = [
            _Step("mail", " ".join(mail), 2),
            _Step("rcpt", " ".join(rcpt), 2),
            _Step("data", "DATA", 3),
        ]
        return [_Step("mail", "RSET", 2), *steps] if self._needs_reset else steps

    def _check_size(self, size: int) -> None:
        most = self.extensions["SIZE"].strip()
        if most.isdigit() and 0 < int(most) < size:
            raise Refusal("mail", 552, f"5.3.4 the server takes {most} bytes at most, the mail has {size}")

    async def _say_at_once(self, steps: Sequence[_Step]) -> None:
        self._needs_reset = True
        self._write("".join(f"{step.line}\r\n" for step in steps).encode())
        replies = await self._gather(len(steps), _TIMEOUTS["mail"])
        refusal: Refusal | None = None
        for place, step in enumerate(steps):
            if place >= len(replies):
                raise refusal or Refusal(step.phase, 0, self._lost)
            try:
                self._check(step.phase, replies[place], step.good)
            except Refusal as found:
                refusal = refusal or found
        if refusal:
            # DATA may be taken all the same: an empty text ends it (RFC 2920, 3.1).
            if replies[-1].code // 100 == 3:
                self._write(b".\r\n")
                await self._gather(1, _TIMEOUTS["ack"])
            raise refusal

    async def _send_body(self, parts: Sequence[bytes]) -> _Reply:
        self._open_transport.writelines((*parts, b".\r\n"))
        reply = await self._next("ack")
        if self._is_writing:  # an answer to less than the whole text: no good one can be meant
            self.abort()
            self._check("body", reply, 0)
        self._check("ack", reply, 2)
        return reply

    async def _do(self, phase: Phase, line: str, good: int) -> _Reply:
        self._needs_reset = self._needs_reset or phase == "mail"
        self._write(f"{line}\r\n".encode())
        return await self._get(phase, good)

    async def _get(self, phase: Phase, good: int) -> _Reply:
        reply = await self._next(phase)
        self._check(phase, reply, good)
        return reply

    async def _next(self, phase: Phase) -> _Reply:
        replies = await self._gather(1, _TIMEOUTS[phase])
        if not replies:
            # Without the final dot the message cannot have been taken (RFC 5321, 4.1.1.4).
            raise Refusal("body" if phase == "ack" and self._is_writing else phase, 0, self._lost)
        return replies[0]

    def _check(self, phase: Phase, reply: _Reply, good: int) -> None:
        if reply.code == 421:
            self.abort()
        if reply.code // 100 == good:
            return
        if reply.code // 100 in {4, 5}:
            raise Refusal(phase, reply.code, reply.text)
        self.abort()
        raise Refusal(phase, 0, f"an answer that does not fit: {reply}")

    # --- the wire -------------------------------------------------------------------

    @property
    def _open_transport(self) -> asyncio.Transport:
        assert self._transport is not None, "not connected yet"  # noqa: S101
        return self._transport

    def _write(self, data: bytes) -> None:
        if not self._lost:
            self._open_transport.write(data)

    async def _gather(self, count: int, seconds: float) -> list[_Reply]:
        """The next replies, fewer when no more will come."""
        if len(self._replies) < count and not self._lost:
            loop = asyncio.get_running_loop()
            self._wanted, self._waiter = count, loop.create_future()
            self._watch(loop.time() + seconds)
            try:
                await self._waiter
            finally:
                self._waiter = None
        replies = self._replies
        if len(replies) <= count:
            self._replies = deque()
            return list(replies)
        return [replies.popleft() for _ in range(count)]

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
            self._break_off("no answer in time")

    def _break_off(self, reason: str) -> None:
        self._lost = self._lost or reason
        if self._transport:
            self._transport.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _begin(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        # To be told when all has left. An encrypted transport would take a limit of 0 as reached by nothing,
        # and call for a pause when all has left.
        transport.set_write_buffer_limits(high=1, low=0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._begin(cast(asyncio.Transport, transport))  # uvloop's are of no such class

    def pause_writing(self) -> None:
        """Something waits to leave."""
        self._is_writing = True

    def resume_writing(self) -> None:
        """All has left."""
        self._is_writing = False

    def data_received(self, data: bytes) -> None:
        """A piece of what the server says."""
        self._received += data
        *lines, rest = self._received.split(b"\n")
        self._received = rest
        for line in lines:
            if self._lost:  # what follows garbage answers nothing
                return
            self._take(bytes(line).rstrip())
        if len(rest) > _LONGEST_LINE:
            self._break_off("the server sent a line without an end")
        if len(self._replies) >= self._wanted:
            self._wake()

    def _take(self, line: bytes) -> None:
        found = _REPLY.fullmatch(line)
        if found is None or len(line) > _LONGEST_LINE or len(self._lines) >= _MOST_LINES:
            self._break_off(f"no SMTP reply: {line[:80].decode('utf-8', 'replace')!r}")
            return
        self._lines.append(_text(found[3] or b""))
        if found[2] != b"-":
            self._replies.append(_Reply(int(found[1]), "\n".join(self._lines)))
            self._lines = []

    def eof_received(self) -> bool:
        """The server has left; what it said before counts."""
        self._lost = self._lost or "the server closed the connection"
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The end."""
        self._lost = self._lost or (_words(error) if error else "the server closed the connection")
        self._wake()


@cache
def _context(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file or None)  # reads all the certificates it trusts


@cache
def _own_name() -> str:
    return socket.getfqdn()


def _packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _text(raw: bytes) -> str:
    """What a server says, without control signs: it goes into the database and into logs."""
    text = raw.decode("utf-8", "replace")
    return (
        text if text.isprintable() else "".join(sign if sign.isprintable() else " " for sign in text).rstrip()
    )


def _words(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
