"""What tests of the transport share: a message, the addresses of scripted servers, and a line that waits."""

import asyncio
from typing import Self

import pytest

from delivery.transport.pool import Transport, parse_address
from delivery.transport.smtp.replies import SmtpError
from emails.message import Message
from tests.support.servers.smtp import ScriptedServer

LOGIN = ("paperboy@example.org", "pass:word@/%")

LOGIN_IN_URL = "paperboy%40example.org:pass%3Aword%40%2F%25"


def message(number: int = 1, data: bytes = b"Subject: Hello\r\n\r\nHello\r\n") -> Message:
    return Message(f"bounces+{number}@paperboy.example", f"reader{number}@example.com", (data,))


def url(server: ScriptedServer, *, scheme: str = "smtp", login: str = "", **options: object) -> str:
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return f"{scheme}://{login}{'@' if login else ''}{server.host}:{server.port}?{query}"


class Sender:
    """A line that waits for each message."""

    def __init__(self, transport: Transport) -> None:
        self._line = transport.line()
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._line.close())
        self._runner.close()

    def send(self, message: Message) -> str:
        return self._runner.run(self._line.send(message))


def to(*addresses: str) -> Sender:
    return Sender(Transport([parse_address(address) for address in addresses]))


def refusal_of(server: ScriptedServer) -> SmtpError:
    with server, to(url(server)) as transport, pytest.raises(SmtpError) as caught:
        transport.send(message())
    return caught.value
