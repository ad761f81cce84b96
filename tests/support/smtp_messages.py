"""What tests of the transport share: messages, the URLs of scripted servers, and a blocking client."""

import asyncio
from typing import Self

import pytest

from delivery.transport.pool import SmtpPool
from delivery.transport.smtp.replies import SmtpError
from delivery.transport.smtp.server import parse_smtp_url
from emails.message import Message
from tests.support.servers.smtp import ScriptedServer

LOGIN = ("paperboy@example.org", "pass:word@/%")
LOGIN_IN_URL = "paperboy%40example.org:pass%3Aword%40%2F%25"


def message(number: int = 1, data: bytes = b"Subject: Hello\r\n\r\nHello\r\n") -> Message:
    """A message to one of many recipients."""
    return Message(f"bounces+{number}@paperboy.example", f"reader{number}@example.com", (data,))


def url(server: ScriptedServer, *, scheme: str = "smtp", login: str = "", **options: object) -> str:
    """The URL of a server, as PAPERBOY_SMTP_URL has it."""
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return f"{scheme}://{login}{'@' if login else ''}{server.host}:{server.port}?{query}"


class BlockingClient:
    """A client that returns when its message was answered."""

    def __init__(self, transport: SmtpPool) -> None:
        self._client = transport.client()
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._client.close())
        self._runner.close()

    def send(self, message: Message) -> str:
        """Send a message and return the server's reply."""
        return self._runner.run(self._client.send(message))


def to(*urls: str) -> BlockingClient:
    """A client of the servers with these URLs."""
    return BlockingClient(SmtpPool([parse_smtp_url(url) for url in urls]))


def error_of(server: ScriptedServer) -> SmtpError:
    """The error that a message to this server ends with."""
    with server, to(url(server)) as client, pytest.raises(SmtpError) as caught:
        client.send(message())
    return caught.value
