"""No password or mail is sent to a server whose name, certificate or login is wrong."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from delivery.transport.smtp import connection
from delivery.transport.smtp.replies import SmtpError
from tests.support.servers.smtp import ScriptedServer
from tests.support.smtp_messages import LOGIN, LOGIN_IN_URL, message, to, url


def test_a_password_is_sent_over_starttls(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    with ScriptedServer(tls=server_tls, login=LOGIN, require_starttls=True) as server:
        with to(url(server, login=LOGIN_IN_URL, starttls="required", ca=ca_file)) as client:
            client.send(message(1))
            client.send(message(2))
        assert server.logins == [LOGIN[0]]
    assert len(server.messages) == 2
    before = server.commands[: server.commands.index("STARTTLS")]
    assert not [command for command in before if command.upper().startswith("AUTH")]


def test_a_password_is_sent_over_implicit_tls(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    with ScriptedServer(tls=server_tls, implicit_tls=True, login=LOGIN) as server:
        with to(url(server, scheme="smtps", login=LOGIN_IN_URL, ca=ca_file)) as client:
            client.send(message())
        assert server.logins == [LOGIN[0]]
    assert len(server.messages) == 1


def test_a_password_is_never_sent_without_encryption() -> None:
    with (
        ScriptedServer(login=LOGIN) as server,
        to(url(server, login=LOGIN_IN_URL)) as client,
        pytest.raises(SmtpError) as caught,
    ):
        client.send(message())
    assert caught.value.phase == "tls"
    assert not [command for command in server.commands if command.upper().startswith("AUTH")]
    assert server.logins == []


def test_no_password_is_sent_to_a_server_with_an_untrusted_certificate(
    server_tls: ssl.SSLContext,
) -> None:
    with (
        ScriptedServer(tls=server_tls, login=LOGIN) as server,
        to(url(server, login=LOGIN_IN_URL)) as client,
        pytest.raises(SmtpError) as caught,
    ):
        client.send(message())
    assert caught.value.phase == "tls"
    assert "certificate" in caught.value.text.lower()
    assert server.logins == []


def test_a_wrong_password_is_an_error_of_the_login(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    with (
        ScriptedServer(tls=server_tls, login=LOGIN) as server,
        to(url(server, login="paperboy%40example.org:wrong", ca=ca_file)) as client,
        pytest.raises(SmtpError) as caught,
    ):
        client.send(message())
    assert (caught.value.phase, caught.value.code) == ("login", 535)
    assert server.messages == []


def test_tls_is_used_if_it_is_offered(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    with ScriptedServer(tls=server_tls) as server, to(url(server, ca=ca_file)) as client:
        client.send(message())
    assert "STARTTLS" in server.commands


@pytest.fixture
def wrong_name(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mail.example").configure_cert(context)
    return context


@pytest.fixture
def expired(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    authority.issue_cert("127.0.0.1", not_after=yesterday).configure_cert(context)
    return context


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize(("certificate", "reason"), [("wrong_name", "mismatch"), ("expired", "expired")])
def test_no_password_is_sent_to_a_server_with_a_wrong_certificate(
    certificate: str, reason: str, implicit: bool, ca_file: Path, request: pytest.FixtureRequest
) -> None:
    context = request.getfixturevalue(certificate)
    scheme = "smtps" if implicit else "smtp"
    with (
        ScriptedServer(tls=context, implicit_tls=implicit, login=LOGIN) as server,
        to(url(server, scheme=scheme, login=LOGIN_IN_URL, ca=ca_file)) as client,
        pytest.raises(SmtpError) as caught,
    ):
        client.send(message())
    assert caught.value.phase == "tls"
    assert reason in caught.value.text.lower()
    assert (server.logins, server.messages) == ([], [])


@pytest.mark.parametrize("starttls", ["required", "if-offered"])
def test_a_server_that_refuses_the_tls_it_offers_gets_no_unencrypted_mail(
    server_tls: ssl.SSLContext, ca_file: Path, starttls: str
) -> None:
    with (
        ScriptedServer(tls=server_tls, on_starttls="454 4.7.0 TLS not available") as server,
        to(url(server, starttls=starttls, ca=ca_file)) as client,
        pytest.raises(SmtpError) as caught,
    ):
        client.send(message())
    assert (caught.value.phase, caught.value.code) == ("tls", 454)
    assert server.messages == []


def test_replies_before_the_encryption_begins_are_not_trusted(
    server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    injected = b"220 Ready\r\n250-scripted.test\r\n250-SIZE 1\r\n"
    with (
        ScriptedServer(tls=server_tls, on_starttls=injected) as server,
        to(url(server, starttls="required", ca=ca_file)) as client,
        pytest.raises(SmtpError, match="sent more before the encryption began"),
    ):
        client.send(message())
    assert server.messages == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_ca_file_without_a_certificate_is_an_error_of_the_connection(
    server_tls: ssl.SSLContext, tmp_path: Path, security: str
) -> None:
    no_certificate = tmp_path / "ca.pem"
    no_certificate.write_text("nothing")
    scheme = "smtps" if security == "tls" else "smtp"
    with (
        ScriptedServer(tls=server_tls, implicit_tls=security == "tls") as server,
        to(url(server, scheme=scheme, ca=no_certificate)) as client,
        pytest.raises(SmtpError) as caught,
    ):
        client.send(message())
    assert caught.value.phase in {"connect", "tls"}


def test_no_mail_is_sent_if_required_tls_is_not_offered() -> None:
    with (
        ScriptedServer() as server,
        to(url(server, starttls="required")) as client,
        pytest.raises(SmtpError, match="does not offer STARTTLS"),
    ):
        client.send(message())
    assert server.messages == []


def test_many_large_mails_share_one_encrypted_connection(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    large = message(data=b"Subject: Hello\r\n\r\n" + b"Hello again\r\n" * 10_000)
    with ScriptedServer(tls=server_tls) as server, to(url(server, ca=ca_file)) as client:
        for _ in range(5):
            client.send(large)
    assert (len(server.messages), server.sessions) == (5, 1)


def test_a_connection_keeps_the_precautions_of_pythons_own_tls() -> None:
    ours, usual = connection._tls_context(""), ssl.create_default_context()
    assert ours.options & usual.options == usual.options
    assert (ours.verify_mode, ours.check_hostname) == (usual.verify_mode, usual.check_hostname)
