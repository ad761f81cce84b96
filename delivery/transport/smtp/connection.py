"""One SMTP dialogue (RFC 5321), pipelined where the server can (RFC 2920).

Every refusal tells its phase, so that nobody has to guess whether a message was taken.
"""

import asyncio
import base64
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from delivery.transport.smtp.protocol import TAIL, Channel, Reply, words
from delivery.transport.smtp.replies import Phase, Refusal
from emails.message import Message

# Seconds (RFC 5321, 4.5.3.2); shorter ones make duplicates. `ack` is with the text.
_TIMEOUTS: dict[Phase, int] = {
    "connect": 60,
    "ehlo": 300,
    "tls": 60,
    "login": 60,
    "mail": 300,
    "rcpt": 300,
    "data": 120,
    "ack": 600,
}
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


# The phases of the commands that open a message, and the first digit of the reply that lets each go on.
_STEPS: tuple[tuple[Phase, int], ...] = (("mail", 2), ("rcpt", 2), ("data", 3))
_RESET: tuple[Phase, int] = ("mail", 2)


async def connect(address: SmtpAddress) -> "Connection":
    """A connection that is greeted, secured and logged in as the address asks.

    Raises:
        Refusal: of phase connect, ehlo, tls or login.
    """
    connection = Connection(await _reach(address.host, address.port))
    try:
        if address.security == "tls":
            await connection.encrypt(address.ca_file, address.host)
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


async def _reach(host: str, port: int) -> Channel:
    """An open line to the first of a host's addresses that answers.

    Each has its share of the time: an address of IPv6 may lead nowhere while one of IPv4 answers.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + _TIMEOUTS["connect"]
    refusal = Refusal("connect", 0, f"{host} has no address")
    try:
        async with asyncio.timeout(_TIMEOUTS["connect"] / 2):
            found = await _places(host, port)
    except TimeoutError:
        raise Refusal("connect", 0, f"{host} was not found in half a minute") from None
    except (OSError, ValueError) as error:  # ValueError: no name of a host
        raise Refusal("connect", 0, words(error)) from None
    for left, place in zip(range(len(found), 0, -1), found, strict=True):
        try:
            async with asyncio.timeout((ends - loop.time()) / left):
                _, channel = await loop.create_connection(Channel, *place)
                return channel
        except TimeoutError:
            refusal = Refusal("connect", 0, "no connection within a minute")
        except OSError as error:
            refusal = Refusal("connect", 0, words(error))
    raise refusal


async def _places(host: str, port: int) -> list[tuple[str, int]]:
    """The addresses of a host, those of IPv6 with their zones (RFC 4007, 11)."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    as_numbers = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    return [(socket.getnameinfo(place, as_numbers)[0], port) for *_, place in found]


class Connection:
    """A dialogue with one server. One task at a time leads it."""

    def __init__(self, channel: Channel) -> None:
        self.extensions: dict[str, str] = {}
        self._channel = channel
        self._needs_reset = False
        self._ahead: Message | None = None  # its commands have left, its text comes next

    def is_ready_for(self, message: Message) -> bool:
        """Whether the message can be tried: the server has neither left nor announced to, nor does it wait
        for the text of another."""
        if self._ahead is None:
            return not (self._channel.lost or self._channel.replies)
        return message is self._ahead and not self._channel.lost and len(self._channel.replies) <= len(_STEPS)

    def has_begun(self, message: Message) -> bool:
        """Whether the message's commands have left already."""
        return message is self._ahead

    async def greet(self) -> None:
        """Hear the server's greeting and ask what it can do."""
        await self._get("connect", 2)
        await self._hello()

    async def secure(self, ca_file: str, host: str) -> None:
        """Encrypt what follows (RFC 3207); `ca_file` names whom to trust, or nothing."""
        if "STARTTLS" not in self.extensions:
            raise Refusal("tls", 0, "the server does not offer STARTTLS")
        await self._do("tls", "STARTTLS", 2)
        if not self._channel.is_silent:
            raise Refusal("tls", 0, "the server spoke on before the encryption began")
        await self.encrypt(ca_file, host)
        await self._hello()

    async def encrypt(self, ca_file: str, host: str) -> None:
        """Go on in TLS, with a server of this name that we trust."""
        try:
            await self._channel.encrypt(_context(ca_file), host, _TIMEOUTS["tls"])
        except (OSError, ValueError) as error:
            raise Refusal("tls", 0, words(error)) from None

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
        return self._channel.certificate

    async def try_sender(self, envelope_from: str) -> None:
        """Hear whether the server takes mails of a sender, and send none.

        Raises:
            Refusal: it does not.
        """
        await self._do("mail", f"MAIL FROM:<{envelope_from}>", 2)
        await self._do("mail", "RSET", 2)

    async def send(self, message: Message, following: Message | None = None) -> str:
        """Hand a message over and return the server's reply to its final dot.

        Where the server can pipeline, the commands of the `following` message leave with this one's text, as
        RFC 2920 (3.1) allows: a round trip for each message instead of two. No other can be sent then.

        Raises:
            Refusal: it was not taken, or nobody knows (phase `ack`, code 0).
        """
        try:
            return await self._send(message, following)
        except asyncio.CancelledError:  # in the middle of something: what is said next would be misunderstood
            self.abort()
            raise

    async def close(self) -> None:
        """Say goodbye, if there is anyone to say it to, and who does not wait for a text."""
        try:
            if not (self._channel.lost or self._ahead):
                self._channel.write(b"QUIT\r\n")
                await self._channel.hear(1, _GOODBYE)
        finally:
            self.abort()

    def abort(self) -> None:
        """Leave without a word."""
        self._channel.break_off("closed")

    # --- the dialogue ---------------------------------------------------------------

    async def _hello(self) -> None:
        name = await asyncio.to_thread(_own_name)
        self._channel.write(f"EHLO {name}\r\n".encode())
        reply = await self._next("ehlo")
        if reply.code // 100 == 5:
            await self._do("ehlo", f"HELO {name}", 2)
            self.extensions = {}
            return
        self._check("ehlo", reply, 2)
        offers = (line.partition(" ") for line in reply.text.split("\n")[1:])
        self.extensions = {name.upper(): value for name, _, value in offers}

    async def _send(self, message: Message, following: Message | None) -> str:
        if message is self._ahead:
            self._ahead = None
            await self._hear_all(_STEPS)
        else:
            await self._open(message)
        if self._channel.lost or self._channel.replies:  # it has left while we were to begin with the text
            said = str(self._channel.replies[0]) if self._channel.replies else self._channel.lost
            self.abort()
            raise Refusal("data", 0, said)
        commands = self._commands_ahead(following)
        self._ahead = following if commands else None
        self._channel.write_text(*message.parts, b".\r\n", commands=commands)
        reply = await self._next("ack")
        if self._channel.is_writing:  # an answer to less than the whole text: no good one can be meant
            self.abort()
            self._check("body", reply, 0)
        self._check("ack", reply, 2)
        self._needs_reset = bool(commands)
        return str(reply)

    async def _open(self, message: Message) -> None:
        """Say whom the message is from and to, so that its text can follow."""
        steps, lines = _STEPS, self._commands(message)
        if self._needs_reset:
            steps, lines = (_RESET, *steps), ["RSET", *lines]
        self._needs_reset = True
        if "PIPELINING" in self.extensions:
            self._channel.write(_joined(lines))
            await self._hear_all(steps)
        else:
            for (phase, good), line in zip(steps, lines, strict=True):
                await self._do(phase, line, good)

    def _commands(self, message: Message) -> list[str]:
        """What opens the message's transaction: MAIL, RCPT and DATA.

        Raises:
            Refusal: this server cannot take it.
        """
        mail, rcpt = f"MAIL FROM:<{message.envelope_from}>", f"RCPT TO:<{message.envelope_to}>"
        if "SIZE" in self.extensions:
            size = message.size
            self._check_size(size)
            mail += f" SIZE={size}"
        if not message.envelope_to.isascii():
            if "SMTPUTF8" not in self.extensions:
                raise Refusal("rcpt", 553, "5.6.7 the server takes only addresses in ASCII")
            mail += " BODY=8BITMIME SMTPUTF8"
        if "DSN" in self.extensions:
            mail += " RET=HDRS"
            rcpt += " NOTIFY=FAILURE"
        return [mail, rcpt, "DATA"]

    def _commands_ahead(self, following: Message | None) -> bytes:
        """What opens the following message, if it can go with a text."""
        if following is None or "PIPELINING" not in self.extensions:
            return b""
        try:
            commands = _joined(self._commands(following))
        except Refusal:  # it comes again when it is that message's turn
            return b""
        return commands if len(commands) < TAIL else b""

    def _check_size(self, size: int) -> None:
        most = self.extensions["SIZE"].strip()
        if most.isdecimal() and 0 < int(most) < size:
            raise Refusal("mail", 552, f"5.3.4 the server takes {most} bytes at most, the mail has {size}")

    async def _hear_all(self, steps: Sequence[tuple[Phase, int]]) -> None:
        """The answers to commands that left together."""
        replies = self._channel.replies
        await self._channel.hear(len(steps), _TIMEOUTS["mail"])
        last: Reply | None = None
        refusal: Refusal | None = None
        for phase, good in steps:
            if not replies:
                raise refusal or Refusal(phase, 0, self._channel.lost)
            last = replies.popleft()
            try:
                self._check(phase, last, good)
            except Refusal as found:
                refusal = refusal or found
        if refusal:
            # DATA may be taken all the same: an empty text ends it (RFC 2920, 3.1).
            if last and last.code // 100 == 3:
                self._channel.write(b".\r\n")
                await self._channel.hear(1, _TIMEOUTS["ack"])
                replies.clear()
            raise refusal

    async def _do(self, phase: Phase, line: str, good: int) -> Reply:
        self._channel.write(f"{line}\r\n".encode())
        return await self._get(phase, good)

    async def _get(self, phase: Phase, good: int) -> Reply:
        reply = await self._next(phase)
        self._check(phase, reply, good)
        return reply

    async def _next(self, phase: Phase) -> Reply:
        channel = self._channel
        await channel.hear(1, _TIMEOUTS[phase])
        if not channel.replies:
            # Without the final dot the message cannot have been taken (RFC 5321, 4.1.1.4).
            raise Refusal("body" if phase == "ack" and channel.is_writing else phase, 0, channel.lost)
        return channel.replies.popleft()

    def _check(self, phase: Phase, reply: Reply, good: int) -> None:
        if reply.code // 100 == good:
            return
        if reply.code == 421:
            self.abort()
        if reply.code // 100 in {4, 5}:
            raise Refusal(phase, reply.code, reply.text)
        self.abort()
        raise Refusal(phase, 0, f"an answer that does not fit: {reply}")


def _joined(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


@cache
def _context(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)  # reads all the certificates it trusts
    context.options |= ssl.OP_NO_RENEGOTIATION  # a text would have to wait in the middle of it
    return context


@cache
def _own_name() -> str:
    return socket.getfqdn()  # asks a name server, perhaps for seconds


def _packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
