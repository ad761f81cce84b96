"""Nothing is said to a server whose name, certificate or login is not right."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from delivery.transport.smtp.replies import SmtpError
from tests.support.servers.smtp import ScriptedServer
from tests.support.smtp_messages import LOGIN, LOGIN_IN_URL, message, to, url


def test_a_password_goes_over_starttls(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    with ScriptedServer(tls=server_tls, login=LOGIN, require_starttls=True) as server:
        with to(url(server, login=LOGIN_IN_URL, starttls="required", ca=ca_file)) as transport:
            transport.send(message(1))
            transport.send(message(2))
        assert server.logins == [LOGIN[0]]
    assert len(server.messages) == 2
    before = server.commands[: server.commands.index("STARTTLS")]
    assert not [command for command in before if command.upper().startswith("AUTH")]


def test_a_password_goes_over_implicit_tls(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    with ScriptedServer(tls=server_tls, implicit_tls=True, login=LOGIN) as server:
        with to(url(server, scheme="smtps", login=LOGIN_IN_URL, ca=ca_file)) as transport:
            transport.send(message())
        assert server.logins == [LOGIN[0]]
    assert len(server.messages) == 1


def test_a_password_never_goes_over_an_open_line() -> None:
    with (
        ScriptedServer(login=LOGIN) as server,
        to(url(server, login=LOGIN_IN_URL)) as transport,
        pytest.raises(SmtpError) as caught,
    ):
        transport.send(message())
    assert caught.value.phase == "tls"
    assert not [command for command in server.commands if command.upper().startswith("AUTH")]
    assert server.logins == []


def test_a_certificate_that_nobody_vouches_for_ends_the_talk_before_the_password(
    server_tls: ssl.SSLContext,
) -> None:
    with (
        ScriptedServer(tls=server_tls, login=LOGIN) as server,
        to(url(server, login=LOGIN_IN_URL)) as transport,
        pytest.raises(SmtpError) as caught,
    ):
        transport.send(message())
    assert caught.value.phase == "tls"
    assert "certificate" in caught.value.text.lower()
    assert server.logins == []


def test_a_wrong_password_is_a_refused_login(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    with (
        ScriptedServer(tls=server_tls, login=LOGIN) as server,
        to(url(server, login="paperboy%40example.org:wrong", ca=ca_file)) as transport,
        pytest.raises(SmtpError) as caught,
    ):
        transport.send(message())
    assert (caught.value.phase, caught.value.code) == ("login", 535)
    assert server.messages == []


def test_tls_is_used_wherever_it_is_offered(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    with ScriptedServer(tls=server_tls) as server, to(url(server, ca=ca_file)) as transport:
        transport.send(message())
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
@pytest.mark.parametrize(("certificate", "words"), [("wrong_name", "mismatch"), ("expired", "expired")])
def test_a_certificate_that_is_wrong_ends_the_talk_before_the_password_and_says_why(
    certificate: str, words: str, implicit: bool, ca_file: Path, request: pytest.FixtureRequest
) -> None:
    context = request.getfixturevalue(certificate)
    scheme = "smtps" if implicit else "smtp"
    with (
        ScriptedServer(tls=context, implicit_tls=implicit, login=LOGIN) as server,
        to(url(server, scheme=scheme, login=LOGIN_IN_URL, ca=ca_file)) as transport,
        pytest.raises(SmtpError) as caught,
    ):
        transport.send(message())
    assert caught.value.phase == "tls"
    assert words in caught.value.text.lower()
    assert (server.logins, server.messages) == ([], [])


@pytest.mark.parametrize("starttls", ["required", "if-offered"])
def test_a_server_that_refuses_the_tls_it_offers_gets_no_mail_in_the_clear(
    server_tls: ssl.SSLContext, ca_file: Path, starttls: str
) -> None:
    with (
        ScriptedServer(tls=server_tls, on_starttls="454 4.7.0 TLS not available") as server,
        to(url(server, starttls=starttls, ca=ca_file)) as transport,
        pytest.raises(SmtpError) as caught,
    ):
        transport.send(message())
    assert (caught.value.phase, caught.value.code) == ("tls", 454)
    assert server.messages == []


def test_what_is_said_before_the_encryption_begins_counts_for_nothing(
    server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    injected = b"220 Ready\r\n250-scripted.test\r\n250-SIZE 1\r\n"
    with (
        ScriptedServer(tls=server_tls, on_starttls=injected) as server,
        to(url(server, starttls="required", ca=ca_file)) as transport,
        pytest.raises(SmtpError, match="spoke on before the encryption began"),
    ):
        transport.send(message())
    assert server.messages == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_file_that_holds_no_certificate_is_a_refused_connection(
    server_tls: ssl.SSLContext, tmp_path: Path, security: str
) -> None:
    no_certificate = tmp_path / "ca.pem"
    no_certificate.write_text("nothing")
    scheme = "smtps" if security == "tls" else "smtp"
    with (
        ScriptedServer(tls=server_tls, implicit_tls=security == "tls") as server,
        to(url(server, scheme=scheme, ca=no_certificate)) as transport,
        pytest.raises(SmtpError) as caught,
    ):
        transport.send(message())
    assert caught.value.phase in {"connect", "tls"}


def test_tls_that_is_required_and_not_offered_ends_the_talk() -> None:
    with (
        ScriptedServer() as server,
        to(url(server, starttls="required")) as transport,
        pytest.raises(SmtpError, match="does not offer STARTTLS"),
    ):
        transport.send(message())
    assert server.messages == []


def test_many_large_mails_share_one_encrypted_connection(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    large = message(data=b"Subject: Hello\r\n\r\n" + b"Hello again\r\n" * 10_000)
    with ScriptedServer(tls=server_tls) as server, to(url(server, ca=ca_file)) as transport:
        for _ in range(5):
            transport.send(large)
    assert (len(server.messages), server.sessions) == (5, 1)
