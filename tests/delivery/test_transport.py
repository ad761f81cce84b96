"""Real SMTP dialogues: one connection for many mails, what each drop means, what the server can do."""

import pytest

from delivery.transport import pool as transport_module
from delivery.transport.smtp.replies import Phase, SmtpError, Verdict, judge
from emails.message import Message
from tests.support.servers.smtp import DROP, TAKE_AND_DROP, Reply, ScriptedServer, in_turn
from tests.support.smtp_messages import error_of, message, to, url

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
    with ScriptedServer(on_mail=DROP) as server, to(url(server)) as transport, pytest.raises(SmtpError):
        transport.send(message())
    assert server.sessions == 1


def test_a_refused_reader_does_not_disturb_the_next_one() -> None:
    with (
        ScriptedServer(on_rcpt=in_turn("550 5.1.1 No such user")) as server,
        to(url(server)) as transport,
    ):
        with pytest.raises(SmtpError):
            transport.send(message(1))
        transport.send(message(2))
    assert [taken.rcpt for taken in server.messages] == [["reader2@example.com"]]
    assert server.sessions == 1


@pytest.mark.parametrize("drop", [DROP, TAKE_AND_DROP])
def test_the_next_mail_goes_over_a_new_connection_after_a_drop(drop: Reply) -> None:
    with ScriptedServer(on_body=in_turn(drop)) as server, to(url(server)) as transport:
        with pytest.raises(SmtpError):
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
    refusal = error_of(ScriptedServer(**{hook: reply}))  # type: ignore[arg-type]
    assert (refusal.phase, refusal.code) == (phase, code)
    if isinstance(reply, str):
        assert f"{refusal.code} {refusal.text}" == reply


def test_a_server_that_is_not_there_is_a_refused_connection() -> None:
    with ScriptedServer() as server:
        address = url(server)
    with to(address) as transport, pytest.raises(SmtpError) as caught:
        transport.send(message())
    assert (caught.value.phase, caught.value.code) == ("connect", 0)


# --- what the server can do ---------------------------------------------------------


def test_a_mail_larger_than_the_server_takes_is_refused_before_it_is_tried() -> None:
    with (
        ScriptedServer(extensions=["SIZE 1000"]) as server,
        to(url(server)) as transport,
        pytest.raises(SmtpError, match=r"5\.3\.4 the server takes 1000 bytes at most") as caught,
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
        with pytest.raises(SmtpError, match="only addresses in ASCII") as caught:
            transport.send(korean)
        transport.send(message())
    assert judge(caught.value) == Verdict("failed")  # that reader's mail, and nobody else's
    assert [taken.rcpt for taken in unable.messages] == [["reader1@example.com"]]
