"""The SMTP server of the tests does what the tests rely on."""

import smtplib
import ssl

import pytest
import trustme

from tests.support.servers.smtp import DROP, TAKE_AND_DROP, Message, ScriptedServer

LETTER = "Subject: Hello\r\n\r\n.A line that begins with a dot\r\n"
SENDER = "news@example.com"
RECIPIENT = "reader@example.com"


@pytest.fixture
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def send_to(server: ScriptedServer) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP(server.host, server.port) as client:
        return client.sendmail(SENDER, [RECIPIENT, "gone@example.com"], LETTER)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_mail_is_accepted_only_after_starttls_and_login(
    mechanism: str, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    with (
        ScriptedServer(
            tls=server_tls, require_starttls=True, login=("paperboy", "secret"), mechanisms=[mechanism]
        ) as server,
        smtplib.SMTP(server.host, server.port) as client,
    ):
        assert client.docmd("MAIL", f"FROM:<{SENDER}>")[0] == 530
        client.starttls(context=client_tls)
        client.ehlo()
        assert client.docmd("MAIL", f"FROM:<{SENDER}>")[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("paperboy", "wrong")
        client.login("paperboy", "secret")
        client.sendmail(SENDER, RECIPIENT, LETTER)
    assert server.logins == ["paperboy"]
    assert server.messages == [Message(SENDER, [RECIPIENT], LETTER.encode())]


def test_implicit_tls_is_used_from_the_first_byte(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    with (
        ScriptedServer(tls=server_tls, implicit_tls=True) as server,
        smtplib.SMTP_SSL(server.host, server.port, context=client_tls) as client,
    ):
        client.sendmail(SENDER, RECIPIENT, LETTER)
    assert len(server.messages) == 1


def test_a_refused_recipient_is_not_in_the_recorded_envelope() -> None:
    def refuse_gone(address: str) -> str | None:
        return "550 5.1.1 No such user" if address.startswith("gone@") else None

    with ScriptedServer(on_rcpt=refuse_gone) as server:
        assert send_to(server) == {"gone@example.com": (550, b"5.1.1 No such user")}
    assert server.messages[0].rcpt == [RECIPIENT]


def test_a_dropped_connection_leaves_no_message() -> None:
    with ScriptedServer(on_data=DROP) as server, pytest.raises(smtplib.SMTPServerDisconnected):
        send_to(server)
    assert server.messages == []


def test_take_and_drop_keeps_the_message_and_sends_no_reply() -> None:
    with ScriptedServer(on_body=TAKE_AND_DROP) as server, pytest.raises(smtplib.SMTPServerDisconnected):
        send_to(server)
    assert len(server.messages) == 1
    assert server.sessions == 1
