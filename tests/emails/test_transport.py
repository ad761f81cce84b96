"""Real SMTP dialogues: security, login, one connection for many mails, and what each drop means."""

import asyncio
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest
import trustme
from smtp_server import DROP, TAKE_AND_DROP, Reply, ScriptedServer, in_turn

from emails import transport as transport_module
from emails.message import Message
from emails.smtp.dialogue import SmtpAddress
from emails.smtp.replies import Phase, Refusal, Verdict, judge
from emails.transport import AddressError, Transport, parse_address, send_one

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


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def refusal_of(server: ScriptedServer) -> Refusal:
    with server, to(url(server)) as transport, pytest.raises(Refusal) as caught:
        transport.send(message())
    return caught.value


# --- the message --------------------------------------------------------------------


def test_a_mail_arrives_byte_for_byte_with_its_own_envelope(server: ScriptedServer) -> None:
    data = b"Subject: lines\r\n\r\n one.\r\n\r\n=2Etwo\r\nend\r\n"
    with to(url(server)) as transport:
        reply = transport.send(message(7, data))
    (taken,) = server.messages
    assert taken.data == data
    assert (taken.envelope_from, taken.rcpt) == ("bounces+7@paperboy.example", ["reader7@example.com"])
    assert reply == "250 2.0.0 Queued"


def test_many_mails_share_one_connection_and_it_is_closed_politely(server: ScriptedServer) -> None:
    with to(url(server)) as transport:
        for number in range(5):
            transport.send(message(number))
    assert len(server.messages) == 5
    assert server.sessions == 1
    assert server.commands[-1].lower() == "quit"


def test_a_connection_is_renewed_after_many_mails(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_module, "MESSAGES_PER_CONNECTION", 2)
    with to(url(server)) as transport:
        for number in range(5):
            transport.send(message(number))
    assert (len(server.messages), server.sessions) == (5, 3)


@pytest.mark.parametrize("ending", [DROP, "421 4.4.2 Idle for too long"])
def test_a_connection_that_ended_between_two_mails_is_opened_anew_and_nothing_is_lost(ending: Reply) -> None:
    with ScriptedServer(on_mail=in_turn(None, ending)) as server, to(url(server)) as transport:
        transport.send(message(1))
        transport.send(message(2))
    assert [taken.rcpt for taken in server.messages] == [["reader1@example.com"], ["reader2@example.com"]]
    assert server.sessions == 2


def test_a_server_that_drops_every_connection_is_not_asked_for_ever() -> None:
    with ScriptedServer(on_mail=DROP) as server, to(url(server)) as transport, pytest.raises(Refusal):
        transport.send(message())
    assert server.sessions == 1


def test_a_refused_reader_does_not_disturb_the_next_one() -> None:
    with (
        ScriptedServer(on_rcpt=in_turn("550 5.1.1 No such user")) as server,
        to(url(server)) as transport,
    ):
        with pytest.raises(Refusal):
            transport.send(message(1))
        transport.send(message(2))
    assert [taken.rcpt for taken in server.messages] == [["reader2@example.com"]]
    assert server.sessions == 1


@pytest.mark.parametrize("drop", [DROP, TAKE_AND_DROP])
def test_the_next_mail_goes_over_a_new_connection_after_a_drop(drop: Reply) -> None:
    with ScriptedServer(on_body=in_turn(drop)) as server, to(url(server)) as transport:
        with pytest.raises(Refusal):
            transport.send(message(1))
        transport.send(message(2))
    assert server.messages[-1].rcpt == ["reader2@example.com"]
    assert server.sessions == 2


# --- where it stopped ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("hook", "reply", "phase", "code"),
    [
        ("on_connect", "554 5.3.2 Not now", "connect", 554),
        ("on_connect", DROP, "connect", 0),
        ("on_mail", "550 5.7.1 Sender refused", "mail", 550),
        ("on_mail", DROP, "mail", 0),
        ("on_rcpt", "451 4.7.1 Greylisted", "rcpt", 451),
        ("on_rcpt", DROP, "rcpt", 0),
        ("on_data", "451 4.3.0 No space", "data", 451),
        ("on_data", DROP, "data", 0),
        ("on_body", "554 5.6.0 Not a mail", "ack", 554),
        ("on_body", DROP, "ack", 0),
        ("on_body", TAKE_AND_DROP, "ack", 0),
    ],
)
def test_a_refusal_names_the_phase_in_which_it_came(hook: str, reply: Reply, phase: Phase, code: int) -> None:
    refusal = refusal_of(ScriptedServer(**{hook: reply}))  # type: ignore[arg-type]
    assert (refusal.phase, refusal.code) == (phase, code)
    if isinstance(reply, str):
        assert f"{refusal.code} {refusal.text}" == reply


def test_a_server_that_is_not_there_is_a_refused_connection() -> None:
    with ScriptedServer() as server:
        address = url(server)
    with to(address) as transport, pytest.raises(Refusal) as caught:
        transport.send(message())
    assert (caught.value.phase, caught.value.code) == ("connect", 0)


# --- security -----------------------------------------------------------------------


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
        pytest.raises(Refusal) as caught,
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
        pytest.raises(Refusal) as caught,
    ):
        transport.send(message())
    assert caught.value.phase == "tls"
    assert "certificate" in caught.value.text.lower()
    assert server.logins == []


def test_a_wrong_password_is_a_refused_login(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    with (
        ScriptedServer(tls=server_tls, login=LOGIN) as server,
        to(url(server, login="paperboy%40example.org:wrong", ca=ca_file)) as transport,
        pytest.raises(Refusal) as caught,
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
        pytest.raises(Refusal) as caught,
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
        pytest.raises(Refusal) as caught,
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
        pytest.raises(Refusal, match="spoke on before the encryption began"),
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
        pytest.raises(Refusal) as caught,
    ):
        transport.send(message())
    assert caught.value.phase in {"connect", "tls"}


def test_tls_that_is_required_and_not_offered_ends_the_talk() -> None:
    with (
        ScriptedServer() as server,
        to(url(server, starttls="required")) as transport,
        pytest.raises(Refusal, match="does not offer STARTTLS"),
    ):
        transport.send(message())
    assert server.messages == []


def test_many_large_mails_share_one_encrypted_connection(server_tls: ssl.SSLContext, ca_file: Path) -> None:
    large = message(data=b"Subject: Hello\r\n\r\n" + b"Hello again\r\n" * 10_000)
    with ScriptedServer(tls=server_tls) as server, to(url(server, ca=ca_file)) as transport:
        for _ in range(5):
            transport.send(large)
    assert (len(server.messages), server.sessions) == (5, 1)


# --- what the server can do ---------------------------------------------------------


def test_a_mail_larger_than_the_server_takes_is_refused_before_it_is_tried() -> None:
    with (
        ScriptedServer(extensions=["SIZE 1000"]) as server,
        to(url(server)) as transport,
        pytest.raises(Refusal, match=r"5\.3\.4 the server takes 1000 bytes at most") as caught,
    ):
        transport.send(message(data=b"x" * 1001))
    assert (caught.value.phase, caught.value.code) == ("mail", 552)
    assert not [command for command in server.commands if command.startswith("MAIL")]


def test_an_address_beyond_ascii_goes_out_only_where_the_server_takes_it() -> None:
    korean = Message("bounces+1@paperboy.example", "독자@example.com", (b"Subject: Hello\r\n\r\nHello\r\n",))
    with ScriptedServer(extensions=["SMTPUTF8", "8BITMIME"]) as able, to(url(able)) as transport:
        transport.send(korean)
    assert able.messages[0].rcpt == ["독자@example.com"]
    with ScriptedServer() as unable, to(url(unable)) as transport:
        with pytest.raises(Refusal, match="only addresses in ASCII") as caught:
            transport.send(korean)
        transport.send(message())
    assert judge(caught.value) == Verdict("failed")  # that reader's mail, and nobody else's
    assert [taken.rcpt for taken in unable.messages] == [["reader1@example.com"]]


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
        with to(url(first), url(second)) as transport, pytest.raises(Refusal):
            transport.send(message())
        assert (first.sessions, second.sessions) == (1, 0)


def test_servers_get_their_share_of_the_connections_by_their_weight() -> None:
    with ScriptedServer() as large, ScriptedServer() as small:
        transport = Transport([parse_address(url(large, weight=3)), parse_address(url(small, weight=1))])
        for _ in range(8):
            send_one(transport, message())
        assert (large.sessions, small.sessions) == (6, 2)


# --- the address --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("smtp://mail.example", SmtpAddress("mail.example", 25, "if-offered")),
        ("smtp://mail.example:2525?starttls=never", SmtpAddress("mail.example", 2525, "none")),
        ("smtp://mail.example?starttls=required", SmtpAddress("mail.example", 25, "starttls")),
        ("smtp://u:p%40@mail.example", SmtpAddress("mail.example", 587, "starttls", "u", "p@")),
        ("smtps://u:p@mail.example", SmtpAddress("mail.example", 465, "tls", "u", "p")),
        (f"smtps://[::1]:4650?ca={__file__}", SmtpAddress("::1", 4650, "tls", ca_file=__file__)),
    ],
)
def test_an_address_says_where_and_how_to_send(address: str, expected: SmtpAddress) -> None:
    assert parse_address(address) == expected


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
    with pytest.raises(AddressError, match="PAPERBOY_SMTP_URL") as caught:
        parse_address(address)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
