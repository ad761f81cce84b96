"""Several servers share the mails by weight, and stand in for each other; their addresses are read whole."""

import socket

import pytest

from delivery.transport.base import send_one
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp import connection
from delivery.transport.smtp.replies import SmtpError
from delivery.transport.smtp.server import SmtpServer, SmtpUrlError, parse_smtp_url
from tests.support.servers.smtp import DROP, Reply, ScriptedServer
from tests.support.smtp_messages import message, to, url

# --- several servers ----------------------------------------------------------------


def test_a_server_that_cannot_be_reached_is_replaced_by_another_before_a_message_begins() -> None:
    with ScriptedServer(on_connect="421 4.3.2 Closed today") as closed, ScriptedServer() as second:
        with to(url(closed), url(second)) as transport:
            for number in range(3):
                transport.send(message(number))
        assert len(second.messages) == 3
        assert (closed.sessions, second.sessions) == (1, 1)


@pytest.mark.parametrize("hook", ["on_mail", "on_rcpt", "on_data", "on_body"])
@pytest.mark.parametrize("reply", ["451 4.3.0 Not now", DROP])
def test_a_message_that_has_begun_is_never_tried_at_another_server(hook: str, reply: Reply) -> None:
    with ScriptedServer(**{hook: reply}) as first, ScriptedServer() as second:  # type: ignore[arg-type]
        with to(url(first), url(second)) as transport, pytest.raises(SmtpError):
            transport.send(message())
        assert (first.sessions, second.sessions) == (1, 0)


def test_servers_get_their_share_of_the_connections_by_their_weight() -> None:
    with ScriptedServer() as large, ScriptedServer() as small:
        transport = SmtpPool([parse_smtp_url(url(large, weight=3)), parse_smtp_url(url(small, weight=1))])
        for _ in range(8):
            send_one(transport, message())
        assert (large.sessions, small.sessions) == (6, 2)


def test_an_address_of_a_server_that_leads_nowhere_leaves_time_for_its_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as nowhere, ScriptedServer() as server:
        # A listener that takes nobody more answers no one, as an address of IPv6 without a way to it.
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(nowhere.getsockname())

        async def places(_host: str, _port: int) -> list[tuple[str, int]]:
            return [nowhere.getsockname(), (server.host, server.port)]

        monkeypatch.setattr(connection, "_places", places)
        monkeypatch.setattr(connection, "_TIMEOUTS", {**connection._TIMEOUTS, "connect": 1})
        with to("smtp://mail.example:25") as transport:
            transport.send(message())
        for one in waiting:
            one.close()
    assert len(server.messages) == 1


# --- the address --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("smtp://mail.example", SmtpServer("mail.example", 25, "if-offered")),
        ("smtp://mail.example:2525?starttls=never", SmtpServer("mail.example", 2525, "none")),
        ("smtp://mail.example?starttls=required", SmtpServer("mail.example", 25, "starttls")),
        ("smtp://u:p%40@mail.example", SmtpServer("mail.example", 587, "starttls", "u", "p@")),
        ("smtps://u:p@mail.example", SmtpServer("mail.example", 465, "tls", "u", "p")),
        (f"smtps://[::1]:4650?ca={__file__}", SmtpServer("::1", 4650, "tls", ca_file=__file__)),
    ],
)
def test_an_address_says_where_and_how_to_send(address: str, expected: SmtpServer) -> None:
    assert parse_smtp_url(address) == expected


@pytest.mark.parametrize(
    "address",
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
def test_an_address_that_cannot_be_used_is_refused_in_one_line_without_its_password(address: str) -> None:
    with pytest.raises(SmtpUrlError, match="PAPERBOY_SMTP_URL") as caught:
        parse_smtp_url(address)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
