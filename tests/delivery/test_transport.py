"""Real SMTP dialogues: one connection for many mails, dropped connections, and the extensions of servers."""

import pytest

from delivery.transport import pool
from delivery.transport.base import FaultCategory
from delivery.transport.smtp.replies import Phase, SmtpError
from emails.message import Message
from tests.support.servers.smtp import DROP, TAKE_AND_DROP, Reply, ScriptedServer, in_order
from tests.support.smtp_messages import error_of, message, to, url

# --- the message --------------------------------------------------------------------


def test_a_mail_arrives_byte_for_byte_with_its_envelope(server: ScriptedServer) -> None:
    data = b"Subject: lines\r\n\r\n one.\r\n\r\n=2Etwo\r\nend\r\n"
    with to(url(server)) as client:
        reply = client.send(message(7, data))
    (accepted,) = server.messages
    assert accepted.data == data
    assert (accepted.envelope_from, accepted.rcpt) == ("bounces+7@paperboy.example", ["reader7@example.com"])
    assert reply == "250 2.0.0 Queued"


def test_many_mails_share_one_connection_that_ends_with_quit(server: ScriptedServer) -> None:
    with to(url(server)) as client:
        for number in range(5):
            client.send(message(number))
    assert len(server.messages) == 5
    assert server.sessions == 1
    assert server.commands[-1].lower() == "quit"


def test_a_connection_is_renewed_after_many_mails(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "MAX_MESSAGES_PER_CONNECTION", 2)
    with to(url(server)) as client:
        for number in range(5):
            client.send(message(number))
    assert (len(server.messages), server.sessions) == (5, 3)


@pytest.mark.parametrize("ending", [DROP, "421 4.4.2 Idle for too long"])
def test_a_connection_that_ended_between_two_mails_is_opened_again_and_loses_nothing(ending: Reply) -> None:
    with ScriptedServer(on_mail=in_order(None, ending)) as server, to(url(server)) as client:
        client.send(message(1))
        client.send(message(2))
    assert [mail.rcpt for mail in server.messages] == [["reader1@example.com"], ["reader2@example.com"]]
    assert server.sessions == 2


def test_a_server_that_drops_every_connection_is_not_retried_endlessly() -> None:
    with ScriptedServer(on_mail=DROP) as server, to(url(server)) as client, pytest.raises(SmtpError):
        client.send(message())
    assert server.sessions == 1


def test_a_refused_recipient_does_not_disturb_the_next_one() -> None:
    with (
        ScriptedServer(on_rcpt=in_order("550 5.1.1 No such user")) as server,
        to(url(server)) as client,
    ):
        with pytest.raises(SmtpError):
            client.send(message(1))
        client.send(message(2))
    assert [mail.rcpt for mail in server.messages] == [["reader2@example.com"]]
    assert server.sessions == 1


@pytest.mark.parametrize("drop", [DROP, TAKE_AND_DROP])
def test_the_next_mail_uses_a_new_connection_after_a_drop(drop: Reply) -> None:
    with ScriptedServer(on_body=in_order(drop)) as server, to(url(server)) as client:
        with pytest.raises(SmtpError):
            client.send(message(1))
        client.send(message(2))
    assert server.messages[-1].rcpt == ["reader2@example.com"]
    assert server.sessions == 2


# --- phases of errors ---------------------------------------------------------------


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
def test_an_error_has_the_phase_in_which_it_happened(
    hook: str, reply: Reply, phase: Phase, code: int
) -> None:
    error = error_of(ScriptedServer(**{hook: reply}))  # type: ignore[arg-type]
    assert (error.phase, error.code) == (phase, code)
    if isinstance(reply, str):
        assert f"{error.code} {error.text}" == reply


def test_a_server_that_does_not_run_is_an_error_of_the_connection() -> None:
    with ScriptedServer() as server:
        closed = url(server)
    with to(closed) as client, pytest.raises(SmtpError) as caught:
        client.send(message())
    assert (caught.value.phase, caught.value.code) == ("connect", 0)


# --- extensions of servers ----------------------------------------------------------


def test_a_mail_larger_than_the_server_accepts_is_not_attempted() -> None:
    with (
        ScriptedServer(extensions=["SIZE 1000"]) as server,
        to(url(server)) as client,
        pytest.raises(SmtpError, match=r"5\.3\.4 the server takes 1000 bytes at most") as caught,
    ):
        client.send(message(data=b"x" * 1001))
    assert (caught.value.phase, caught.value.code) == ("mail", 552)
    assert not [command for command in server.commands if command.startswith("MAIL")]


def test_an_address_beyond_ascii_is_only_sent_to_servers_that_accept_it() -> None:
    korean = Message("bounces+1@paperboy.example", "독자@example.com", (b"Subject: Hello\r\n\r\nHello\r\n",))
    with ScriptedServer(extensions=["SMTPUTF8", "8BITMIME"]) as able, to(url(able)) as client:
        client.send(korean)
    assert able.messages[0].rcpt == ["독자@example.com"]
    with ScriptedServer() as unable, to(url(unable)) as client:
        with pytest.raises(SmtpError, match="only addresses in ASCII") as caught:
            client.send(korean)
        client.send(message())
    assert caught.value.category == FaultCategory.RECIPIENT
    assert [mail.rcpt for mail in unable.messages] == [["reader1@example.com"]]
