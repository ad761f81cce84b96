"""Several servers share the connections by weight and replace each other; URLs of servers are parsed."""

import socket

import pytest

from delivery.transport.base import send_one
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp import server as server_module
from delivery.transport.smtp.replies import SmtpError
from delivery.transport.smtp.server import SmtpServer, SmtpUrlError, parse_smtp_url
from tests.support.servers.smtp import DROP, Reply, ScriptedServer
from tests.support.smtp_messages import message, to, url

# --- several servers ----------------------------------------------------------------


def test_another_server_replaces_one_that_cannot_be_reached() -> None:
    with ScriptedServer(on_connect="421 4.3.2 Closed today") as closed, ScriptedServer() as second:
        with to(url(closed), url(second)) as client:
            for number in range(3):
                client.send(message(number))
        assert len(second.messages) == 3
        assert (closed.sessions, second.sessions) == (1, 1)


@pytest.mark.parametrize("hook", ["on_mail", "on_rcpt", "on_data", "on_body"])
@pytest.mark.parametrize("reply", ["451 4.3.0 Not now", DROP])
def test_a_message_that_has_begun_is_never_sent_to_another_server(hook: str, reply: Reply) -> None:
    with ScriptedServer(**{hook: reply}) as first, ScriptedServer() as second:  # type: ignore[arg-type]
        with to(url(first), url(second)) as client, pytest.raises(SmtpError):
            client.send(message())
        assert (first.sessions, second.sessions) == (1, 0)


def test_servers_get_connections_by_their_weight() -> None:
    with ScriptedServer() as large, ScriptedServer() as small:
        transport = SmtpPool([parse_smtp_url(url(large, weight=3)), parse_smtp_url(url(small, weight=1))])
        for _ in range(8):
            send_one(transport, message())
        assert (large.sessions, small.sessions) == (6, 2)


def test_an_unreachable_address_of_a_server_leaves_time_for_its_other_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent, ScriptedServer() as server:
        # A listener whose queue is full does not answer, like an IPv6 address without a route to it.
        waiting = [socket.socket() for _ in range(3)]
        for waiter in waiting:
            waiter.setblocking(False)
            waiter.connect_ex(silent.getsockname())

        async def resolve(_host: str, _port: int) -> list[tuple[str, int]]:
            return [silent.getsockname(), (server.host, server.port)]

        monkeypatch.setattr(server_module, "resolve", resolve)
        monkeypatch.setattr(server_module, "CONNECT_TIMEOUT_SECONDS", 1)
        with to("smtp://mail.example:25") as client:
            client.send(message())
        for waiter in waiting:
            waiter.close()
    assert len(server.messages) == 1


# --- URLs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("smtp_url", "expected"),
    [
        ("smtp://mail.example", SmtpServer("mail.example", 25, "if-offered")),
        ("smtp://mail.example:2525?starttls=never", SmtpServer("mail.example", 2525, "none")),
        ("smtp://mail.example?starttls=required", SmtpServer("mail.example", 25, "starttls")),
        ("smtp://u:p%40@mail.example", SmtpServer("mail.example", 587, "starttls", "u", "p@")),
        ("smtps://u:p@mail.example", SmtpServer("mail.example", 465, "tls", "u", "p")),
        (f"smtps://[::1]:4650?ca={__file__}", SmtpServer("::1", 4650, "tls", ca_file=__file__)),
    ],
)
def test_a_url_says_where_and_how_to_send(smtp_url: str, expected: SmtpServer) -> None:
    assert parse_smtp_url(smtp_url) == expected


@pytest.mark.parametrize(
    "smtp_url",
    [
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://mail.example:port",
        "smtp://mail.example?tls=yes",
        "smtp://mail.example?starttls=maybe",
        "smtp://user:secret@mail.example?starttls=never",
        "smtp://user:secret@mail.example?starttls=if-offered",
        "smtps://user:secret%ED%95%9C@mail.example",
        "smtps://user:secret@mail.example?ca=/no/such/file.pem",
    ],
)
def test_an_unusable_url_is_rejected_in_one_line_without_its_password(smtp_url: str) -> None:
    with pytest.raises(SmtpUrlError, match="PAPERBOY_SMTP_URL") as caught:
        parse_smtp_url(smtp_url)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
