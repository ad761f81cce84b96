"""A real SMTP server on loopback, which records everything and answers or misbehaves as a test scripts it."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Self, TypeVar

from tests.support.servers.smtp_connection import Connection, ConnectionClosed, decoded


class Misbehaviour(Enum):
    """What a server can do instead of sending a reply."""

    DROP = "close the connection at once"
    TAKE_AND_DROP = "keep the message, then close the connection without a reply"
    RESET = "reset the connection (RST)"
    CLOSE_NOTIFY = "end TLS from this side (close_notify), and wait for the client to end it too"
    HANG = "neither send nor read anything as long as the server runs"


DROP = Misbehaviour.DROP
TAKE_AND_DROP = Misbehaviour.TAKE_AND_DROP
RESET = Misbehaviour.RESET
HANG = Misbehaviour.HANG
CLOSE_NOTIFY = Misbehaviour.CLOSE_NOTIFY

Reply = str | bytes | Misbehaviour  # bytes are sent as they are, and the server does not interpret them
T = TypeVar("T")
# What to answer in a phase: always the same, or by the phase's argument. None is the normal reply.
Script = Reply | Callable[[T], Reply | None] | None


@dataclass(frozen=True)
class Message:
    """A message that a client sent."""

    envelope_from: str
    rcpt: list[str]
    data: bytes  # without the dots that the transport adds


def in_order(*replies: Reply | None) -> Callable[[object], Reply | None]:
    """A script that gives each reply once, in this order, and then the normal reply."""
    remaining = list(replies)
    return lambda _: remaining.pop(0) if remaining else None


def once(action: Callable[[], None]) -> Callable[[object], None]:
    """A script that calls `action` the first time, and always gives the normal reply."""
    left = [action]
    return lambda _: left.pop()() if left else None


class ScriptedServer:
    """Listens while its context lasts. `messages` holds what it accepted, in order."""

    def __init__(
        self,
        *,
        on_connect: Script[int] = None,  # given the session's number, from 1
        on_ehlo: Script[str] = None,  # the client's name
        on_starttls: Script[None] = None,
        on_auth: Script[str] = None,  # the user
        on_mail: Script[str] = None,  # the sender's address
        on_rcpt: Script[str] = None,  # the recipient's address
        on_data: Script[None] = None,
        on_text: Script[None] = None,  # in the middle of the message, whose rest is not read
        on_body: Script[Message] = None,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        require_starttls: bool = False,
        login: tuple[str, str] | None = None,  # user and password, required before MAIL
        mechanisms: Sequence[str] = ("PLAIN", "LOGIN"),
        extensions: Sequence[str] = ("8BITMIME", "SIZE 20971520"),
        receive_buffer: int = 0,  # bytes that the system buffers before they are read; 0 is its default
    ) -> None:
        self.on_connect, self.on_ehlo = on_connect, on_ehlo
        self.on_starttls, self.on_auth = on_starttls, on_auth
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
            session.connection.shut_down()
        self._listener.server_close()  # waits for the sessions' threads


class _Listener(socketserver.ThreadingTCPServer):
    request_queue_size = 128

    def __init__(self, server: ScriptedServer) -> None:
        self.scripted = server
        super().__init__(("127.0.0.1", 0), _Session)

    def process_request(self, request: object, client_address: object) -> None:
        self.scripted.sessions += 1  # only this thread counts, so no session is lost
        super().process_request(request, client_address)  # type: ignore[arg-type]


class _Session(socketserver.BaseRequestHandler):
    server: _Listener

    def setup(self) -> None:
        self.scripted = self.server.scripted
        self.number = self.scripted.sessions
        self.connection = Connection(self.request)
        self.is_authenticated = False
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.scripted._open.add(self)

    def handle(self) -> None:
        try:
            if self.scripted.implicit_tls:
                self._encrypt()
            self._answer(self.scripted.on_connect, self.number, "220 scripted.test ESMTP")
            while True:
                self._handle_command(self.connection.read_line())
        except (ConnectionClosed, OSError):
            pass

    def finish(self) -> None:
        self.scripted._open.discard(self)
        self.connection.close()

    def _handle_command(self, line: str) -> None:
        self.scripted.commands.append(line)
        verb, _, argument = line.partition(" ")
        command = getattr(self, f"_do_{verb.lower()}", None)
        if command is None:
            self.connection.send("500 5.5.1 Unknown command")
        else:
            command(argument)

    def _do_ehlo(self, name: str) -> None:
        offered = [*self.scripted.extensions]
        if self.scripted.tls and not self.connection.is_encrypted:
            offered.append("STARTTLS")
        if self.scripted.login and not self._must_start_tls():
            offered.append(f"AUTH {' '.join(self.scripted.mechanisms)}")
        lines = ["scripted.test", *offered]
        normal = "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])
        self._answer(self.scripted.on_ehlo, name, normal)

    def _do_helo(self, _name: str) -> None:
        self.connection.send("250 scripted.test")

    def _do_starttls(self, _argument: str) -> None:
        if not self.scripted.tls or self.connection.is_encrypted:
            self.connection.send("503 5.5.1 No TLS to start")
            return
        if self._answer(self.scripted.on_starttls, None, "220 2.0.0 Ready"):
            self._encrypt()

    def _do_auth(self, argument: str) -> None:
        mechanism, _, initial = argument.partition(" ")
        if self._must_start_tls() or mechanism.upper() not in self.scripted.mechanisms:
            self.connection.send("504 5.5.4 Mechanism not offered")
            return
        if mechanism.upper() == "PLAIN":
            _, user, password = self._initial_response(initial, "").split("\0")
        else:
            user = self._initial_response(initial, "Username:")
            password = self.connection.ask("Password:")
        is_right = (user, password) == self.scripted.login
        normal = "235 2.7.0 Welcome" if is_right else "535 5.7.8 Wrong user or password"
        if self._answer(self.scripted.on_auth, user, normal):
            self.is_authenticated = True
            self.scripted.logins.append(user)

    def _do_mail(self, argument: str) -> None:
        if self._must_start_tls():
            self.connection.send("530 5.7.0 Must issue a STARTTLS command first")
        elif self.scripted.login and not self.is_authenticated:
            self.connection.send("530 5.7.0 Authentication required")
        elif self._answer(self.scripted.on_mail, _address(argument), "250 2.1.0 Ok"):
            self.sender, self.recipients = _address(argument), []

    def _do_rcpt(self, argument: str) -> None:
        if self.sender is None:
            self.connection.send("503 5.5.1 MAIL first")
        elif self._answer(self.scripted.on_rcpt, _address(argument), "250 2.1.5 Ok"):
            self.recipients.append(_address(argument))

    def _do_data(self, _argument: str) -> None:
        if self.sender is None or not self.recipients:
            self.connection.send("503 5.5.1 RCPT first")
        elif self._answer(self.scripted.on_data, None, "354 Go ahead", success="3"):
            if reply := _scripted(self.scripted.on_text, None):
                self._interrupt(reply)
            self._accept(Message(self.sender, self.recipients, self.connection.read_text()))

    def _do_rset(self, _argument: str) -> None:
        self.sender, self.recipients = None, []
        self.connection.send("250 2.0.0 Ok")

    def _do_noop(self, _argument: str) -> None:
        self.connection.send("250 2.0.0 Ok")

    def _do_quit(self, _argument: str) -> None:
        self.connection.send("221 2.0.0 Bye")
        raise ConnectionClosed

    def _interrupt(self, reply: Reply) -> None:
        """Answer before the whole text has come, and read no more of it."""
        self.connection.read_raw_line()
        self._reply(reply)
        self._misbehave(HANG)  # closing a connection with unread bytes resets it, and the reply might be lost

    def _accept(self, message: Message) -> None:
        self.sender, self.recipients = None, []
        reply = _scripted(self.scripted.on_body, message) or "250 2.0.0 Queued"
        # The message is recorded before the reply, so that a test whose client got its 250 finds it.
        if reply is TAKE_AND_DROP or isinstance(reply, bytes) or (isinstance(reply, str) and reply[0] == "2"):
            self.scripted.messages.append(message)
        self._reply(reply)

    def _answer(self, script: Script[T], argument: T, normal: str, success: str = "2") -> bool:
        """Send the script's reply, or the normal one. Returns whether its code begins with `success`."""
        reply = _scripted(script, argument) or normal
        self._reply(reply)
        return isinstance(reply, str) and reply.startswith(success)

    def _reply(self, reply: Reply) -> None:
        if isinstance(reply, Misbehaviour):
            self._misbehave(reply)
        else:
            self.connection.send(reply)
            if isinstance(reply, str) and reply.startswith("421"):
                raise ConnectionClosed

    def _misbehave(self, how: Misbehaviour) -> None:
        if how is HANG:
            self.scripted._closing.wait()
        if how is CLOSE_NOTIFY:
            self.connection.close_tls()
        if how is RESET:
            self.connection.reset_on_close()
        raise ConnectionClosed

    def _initial_response(self, initial: str, question: str) -> str:
        """What the client sent together with AUTH, or its answer to a challenge."""
        return decoded(initial) if initial else self.connection.ask(question)

    def _must_start_tls(self) -> bool:
        return self.scripted.require_starttls and not self.connection.is_encrypted

    def _encrypt(self) -> None:
        self.connection.encrypt(self.scripted.tls)
        self.is_authenticated, self.sender = False, None


def _scripted(script: Script[T], argument: T) -> Reply | None:
    return script(argument) if callable(script) else script


def _address(argument: str) -> str:
    """The address in an argument such as `FROM:<someone@example.com> SIZE=100`."""
    return argument.partition("<")[2].rpartition(">")[0]
