"""A real SMTP server on loopback for tests, which records everything and misbehaves as it is told."""

import base64
import contextlib
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import BinaryIO, Self, TypeVar


class Misbehaviour(Enum):
    DROP = "close the connection at once"
    TAKE_AND_DROP = "keep the message, then close the connection without a reply"
    RESET = "break the connection off (RST)"
    CLOSE_NOTIFY = "say by TLS that nothing more will be said, and hear on"
    HANG = "say nothing and hear nothing as long as the server runs"


DROP = Misbehaviour.DROP
TAKE_AND_DROP = Misbehaviour.TAKE_AND_DROP
RESET = Misbehaviour.RESET
HANG = Misbehaviour.HANG
CLOSE_NOTIFY = Misbehaviour.CLOSE_NOTIFY

Reply = str | bytes | Misbehaviour  # bytes go out as they are, and mean nothing to the server itself
T = TypeVar("T")
# What to answer in a phase: always the same, or by the phase's argument (None: as a well-behaved server).
Script = Reply | Callable[[T], Reply | None] | None


@dataclass(frozen=True)
class Message:
    envelope_from: str
    rcpt: list[str]
    data: bytes  # as sent, with the dots of the transport removed


def in_turn(*replies: Reply | None) -> Callable[[object], Reply | None]:
    """A script that gives each reply once, then behaves well."""
    remaining = list(replies)
    return lambda _: remaining.pop(0) if remaining else None


class ScriptedServer:
    """Listens while its context lasts; `messages` holds what it accepted, in order."""

    def __init__(
        self,
        *,
        on_connect: Script[int] = None,  # given the session's number, from 1
        on_ehlo: Script[str] = None,  # the client's name
        on_starttls: Script[None] = None,
        on_auth: Script[str] = None,  # the user
        on_mail: Script[str] = None,  # the sender's address
        on_rcpt: Script[str] = None,  # the reader's address
        on_data: Script[None] = None,
        on_text: Script[None] = None,  # in the middle of the message; the session ends with it
        on_body: Script[Message] = None,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        require_starttls: bool = False,
        login: tuple[str, str] | None = None,  # user and password, demanded before MAIL
        mechanisms: Sequence[str] = ("PLAIN", "LOGIN"),
        extensions: Sequence[str] = ("8BITMIME", "SIZE 20971520"),
        receive_buffer: int = 0,  # bytes that the system takes before they are read (0: as it likes)
    ) -> None:
        self.on_connect, self.on_ehlo, self.on_starttls, self.on_auth = (
            on_connect,
            on_ehlo,
            on_starttls,
            on_auth,
        )
        self.on_mail, self.on_rcpt, self.on_data = on_mail, on_rcpt, on_data
        self.on_text, self.on_body = on_text, on_body
        self.tls, self.implicit_tls, self.require_starttls = tls, implicit_tls, require_starttls
        self.login, self.mechanisms, self.extensions = login, mechanisms, extensions
        self.sessions = 0
        self.commands: list[str] = []
        self.logins: list[str] = []
        self.messages: list[Message] = []
        self._open: set[_Session] = set()
        self._closing = threading.Event()
        self._listener = _Listener(self)
        if receive_buffer:
            self._listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.host = "127.0.0.1"
        self.port: int = self._listener.server_address[1]
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._listener.shutdown()
        self._thread.join()
        for session in list(self._open):
            session.hang_up()
        self._listener.server_close()  # waits for the sessions' threads


class _Listener(socketserver.ThreadingTCPServer):
    request_queue_size = 128

    def __init__(self, server: ScriptedServer) -> None:
        self.scripted = server
        super().__init__(("127.0.0.1", 0), _Session)

    def process_request(self, request: object, client_address: object) -> None:
        self.scripted.sessions += 1  # here, on the one listening thread, so that no count is lost
        super().process_request(request, client_address)  # type: ignore[arg-type]


class _Closed(Exception):  # noqa: N818 (an end, no error)
    """The session is over."""


class _Session(socketserver.BaseRequestHandler):
    server: _Listener

    def setup(self) -> None:
        self.scripted = self.server.scripted
        self.number = self.scripted.sessions
        self.connection = self.request
        self.stream: BinaryIO = self.connection.makefile("rb")
        self.encrypted = self.authenticated = False
        self.sender: str | None = None
        self.readers: list[str] = []
        self.scripted._open.add(self)

    def handle(self) -> None:
        try:
            if self.scripted.implicit_tls:
                self._encrypt()
            self._answer(self.scripted.on_connect, self.number, "220 scripted.test ESMTP")
            while True:
                self._obey(self._line())
        except (_Closed, OSError):
            pass

    def finish(self) -> None:
        self.scripted._open.discard(self)
        self.stream.close()
        self.connection.close()

    def hang_up(self) -> None:
        """Wake a session that waits for its client; its own thread then closes it."""
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the client was faster

    def _obey(self, line: str) -> None:
        self.scripted.commands.append(line)
        verb, _, argument = line.partition(" ")
        command = getattr(self, f"_do_{verb.lower()}", None)
        if command is None:
            self._send("500 5.5.1 Unknown command")
        else:
            command(argument)

    def _do_ehlo(self, name: str) -> None:
        offers = [*self.scripted.extensions]
        if self.scripted.tls and not self.encrypted:
            offers.append("STARTTLS")
        if self.scripted.login and not self._needs_starttls():
            offers.append(f"AUTH {' '.join(self.scripted.mechanisms)}")
        lines = ["scripted.test", *offers]
        normal = "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])
        self._answer(self.scripted.on_ehlo, name, normal)

    def _do_helo(self, _name: str) -> None:
        self._send("250 scripted.test")

    def _do_starttls(self, _argument: str) -> None:
        if not self.scripted.tls or self.encrypted:
            self._send("503 5.5.1 No TLS to start")
            return
        if self._answer(self.scripted.on_starttls, None, "220 2.0.0 Ready"):
            self._encrypt()

    def _do_auth(self, argument: str) -> None:
        mechanism, _, initial = argument.partition(" ")
        if self._needs_starttls() or mechanism.upper() not in self.scripted.mechanisms:
            self._send("504 5.5.4 Mechanism not offered")
            return
        if mechanism.upper() == "PLAIN":
            _, user, password = self._given(initial, "").split("\0")
        else:
            user = self._given(initial, "Username:")
            password = self._ask("Password:")
        right = (user, password) == self.scripted.login
        normal = "235 2.7.0 Welcome" if right else "535 5.7.8 Wrong user or password"
        if self._answer(self.scripted.on_auth, user, normal):
            self.authenticated = True
            self.scripted.logins.append(user)

    def _do_mail(self, argument: str) -> None:
        if self._needs_starttls():
            self._send("530 5.7.0 Must issue a STARTTLS command first")
        elif self.scripted.login and not self.authenticated:
            self._send("530 5.7.0 Authentication required")
        elif self._answer(self.scripted.on_mail, _address(argument), "250 2.1.0 Ok"):
            self.sender, self.readers = _address(argument), []

    def _do_rcpt(self, argument: str) -> None:
        if self.sender is None:
            self._send("503 5.5.1 MAIL first")
        elif self._answer(self.scripted.on_rcpt, _address(argument), "250 2.1.5 Ok"):
            self.readers.append(_address(argument))

    def _do_data(self, _argument: str) -> None:
        if self.sender is None or not self.readers:
            self._send("503 5.5.1 RCPT first")
        elif self._answer(self.scripted.on_data, None, "354 Go ahead", good="3"):
            if reply := _scripted(self.scripted.on_text, None):
                self._interrupt(reply)
            self._take(Message(self.sender, self.readers, self._body()))

    def _do_rset(self, _argument: str) -> None:
        self.sender, self.readers = None, []
        self._send("250 2.0.0 Ok")

    def _do_noop(self, _argument: str) -> None:
        self._send("250 2.0.0 Ok")

    def _do_quit(self, _argument: str) -> None:
        self._send("221 2.0.0 Bye")
        raise _Closed

    def _interrupt(self, reply: Reply) -> None:
        """Answer before the whole text is there, and read no more of it."""
        self._bytes_line()
        self._give(reply)
        self._misbehave(HANG)  # a connection closed with unread bytes would overtake the reply

    def _take(self, message: Message) -> None:
        self.sender, self.readers = None, []
        reply = _scripted(self.scripted.on_body, message) or "250 2.0.0 Queued"
        # Recorded before the reply, so that a client which has its 250 finds the message here.
        if reply is TAKE_AND_DROP or isinstance(reply, bytes) or (isinstance(reply, str) and reply[0] == "2"):
            self.scripted.messages.append(message)
        self._give(reply)

    def _answer(self, script: Script[T], argument: T, normal: str, good: str = "2") -> bool:
        """Send the script's reply, or the normal one; says whether it was a good one."""
        reply = _scripted(script, argument) or normal
        self._give(reply)
        return isinstance(reply, str) and reply.startswith(good)

    def _give(self, reply: Reply) -> None:
        if isinstance(reply, Misbehaviour):
            self._misbehave(reply)
        elif isinstance(reply, bytes):
            self.connection.sendall(reply)
        else:
            self._send(reply)
            if reply.startswith("421"):
                raise _Closed

    def _misbehave(self, how: Misbehaviour) -> None:
        if how is HANG:
            self.scripted._closing.wait()
        if how is CLOSE_NOTIFY:
            with contextlib.suppress(OSError):  # of a client that leaves
                self.connection.unwrap()
        if how is RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise _Closed

    def _given(self, initial: str, question: str) -> str:
        return _decoded(initial) if initial else self._ask(question)

    def _ask(self, question: str) -> str:
        self._send(f"334 {base64.b64encode(question.encode()).decode()}")
        return _decoded(self._line())

    def _send(self, reply: str) -> None:
        self.connection.sendall(reply.encode() + b"\r\n")

    def _line(self) -> str:
        return self._bytes_line().decode("utf-8", "replace").rstrip("\r\n")

    def _bytes_line(self) -> bytes:
        line = self.stream.readline()
        if not line.endswith(b"\n"):
            raise _Closed
        return line

    def _body(self) -> bytes:
        lines = iter(self._bytes_line, b".\r\n")
        return b"".join(line.removeprefix(b".") for line in lines)

    def _needs_starttls(self) -> bool:
        return self.scripted.require_starttls and not self.encrypted

    def _encrypt(self) -> None:
        assert self.scripted.tls is not None, "give the server a TLS context"
        self.stream.close()
        self.connection = self.scripted.tls.wrap_socket(self.connection, server_side=True)
        self.stream = self.connection.makefile("rb")
        self.encrypted, self.authenticated, self.sender = True, False, None


def _scripted(script: Script[T], argument: T) -> Reply | None:
    return script(argument) if callable(script) else script


def _address(argument: str) -> str:
    """`someone@example.com` of `FROM:<someone@example.com> SIZE=100`."""
    return argument.partition("<")[2].rpartition(">")[0]


def _decoded(token: str) -> str:
    return base64.b64decode(token).decode()
