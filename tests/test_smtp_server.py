"""The tests' own SMTP server does what the tests rely on."""

import smtplib
import ssl

import pytest
import trustme

from tests.support.servers.smtp import DROP, TAKE_AND_DROP, Message, ScriptedServer

LETTER = "Subject: Hello\r\n\r\n.A line that begins with a dot\r\n"
SENDER = "desk@example.com"
READER = "reader@example.com"


@pytest.fixture
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def send_to(server: ScriptedServer) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP(server.host, server.port) as client:
        return client.sendmail(SENDER, [READER, "gone@example.com"], LETTER)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_mail_is_taken_only_after_starttls_and_login(
    mechanism: str, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    with (
        ScriptedServer(
            tls=server_tls, require_starttls=True, login=("desk", "secret"), mechanisms=[mechanism]
        ) as server,
        smtplib.SMTP(server.host, server.port) as client,
    ):
        assert client.docmd("MAIL", f"FROM:<{SENDER}>")[0] == 530
        client.starttls(context=client_tls)
        client.ehlo()
        assert client.docmd("MAIL", f"FROM:<{SENDER}>")[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("desk", "wrong")
        client.login("desk", "secret")
        client.sendmail(SENDER, READER, LETTER)
    assert server.logins == ["desk"]
    assert server.messages == [Message(SENDER, [READER], LETTER.encode())]


def test_implicit_tls_is_spoken_from_the_first_byte(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    with (
        ScriptedServer(tls=server_tls, implicit_tls=True) as server,
        smtplib.SMTP_SSL(server.host, server.port, context=client_tls) as client,
    ):
        client.sendmail(SENDER, READER, LETTER)
    assert len(server.messages) == 1


def test_a_refused_reader_is_not_in_the_recorded_envelope() -> None:
    def refuse_the_gone(address: str) -> str | None:
        return "550 5.1.1 No such user" if address.startswith("gone@") else None

    with ScriptedServer(on_rcpt=refuse_the_gone) as server:
        assert send_to(server) == {"gone@example.com": (550, b"5.1.1 No such user")}
    assert server.messages[0].rcpt == [READER]


def test_a_dropped_connection_leaves_no_message() -> None:
    with ScriptedServer(on_data=DROP) as server, pytest.raises(smtplib.SMTPServerDisconnected):
        send_to(server)
    assert server.messages == []


def test_take_and_drop_keeps_the_message_and_never_says_so() -> None:
    with ScriptedServer(on_body=TAKE_AND_DROP) as server, pytest.raises(smtplib.SMTPServerDisconnected):
        send_to(server)
    assert len(server.messages) == 1
    assert server.sessions == 1
