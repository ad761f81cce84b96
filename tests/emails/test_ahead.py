"""Commands that leave with the text of the mail before, and what becomes of the mail that they announce."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from making import HOUSE, NOW
from sendings import deliveries, got, plan, send, states
from smtp_server import Message, ScriptedServer

from core.database import Database
from emails import stock
from emails.sending import Office, drain
from emails.smtp import SmtpAddress
from emails.transport import Transport
from subscribers.accounts import find, suppress, unsubscribe

PIPELINING = ("8BITMIME", "SIZE 20971520", "PIPELINING")


@contextmanager
def server_that_hears_the_next_mail_first(mails: int) -> Iterator[SmtpAddress]:
    """It answers a text when the next mail's commands are there: whoever waits for the answer waits for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    finished: list[bool] = []

    def serve() -> None:
        client, _ = listener.accept()
        client.settimeout(20)
        with client, client.makefile("rb") as said:
            client.sendall(b"220 patient.test ESMTP\r\n")
            said.readline()
            client.sendall(b"250-patient.test\r\n250 PIPELINING\r\n")
            for left in reversed(range(mails)):
                while said.readline() != b"DATA\r\n":
                    pass
                client.sendall(b"250 Ok\r\n250 Ok\r\n354 Go on\r\n")
                while said.readline() != b".\r\n":
                    pass
                if left:
                    said.peek(1)  # waits
                client.sendall(b"250 2.0.0 Taken\r\n")
            finished.append(said.readline() == b"QUIT\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield SmtpAddress(*listener.getsockname(), "none")
    thread.join(30)
    listener.close()
    assert finished == [True]


def test_the_commands_of_a_mail_come_with_the_text_of_the_one_before(sqlite_database: Database) -> None:
    plan(sqlite_database, 3)
    with server_that_hears_the_next_mail_first(3) as server:
        drain(Office(sqlite_database, Transport([server]), HOUSE, lambda: NOW), None, repeat_uncertain=True)
    assert states(sqlite_database) == {"sent": 3}


def once(act: Callable[[], None]) -> Callable[[Message], None]:
    """For a server to do when it has the first text, before it answers."""
    left = [act]

    def on_body(_message: Message) -> None:
        if left:
            left.pop()()

    return on_body


@pytest.mark.parametrize("way", ["unsubscribed", "suppressed"])
def test_a_reader_who_leaves_between_the_commands_and_the_text_gets_no_mail(
    database: Database, way: str
) -> None:
    first, second, third = plan(database, 3)

    def leave() -> None:
        with database.sessions.begin() as session:
            subscriber = find(session, second)
            assert subscriber is not None
            if way == "suppressed":
                suppress(session, second, "returned", NOW)
            else:
                unsubscribe(subscriber, NOW)

    with ScriptedServer(extensions=PIPELINING, on_body=once(leave)) as server:
        drained = send(database, server)
    assert got(server) == [first, third]
    assert [delivery.state for delivery in deliveries(database)] == ["sent", "skipped", "sent"]
    assert drained.states == {"sent": 2, "skipped": 1}


def test_a_run_that_stops_says_nothing_to_a_server_that_waits_for_a_text(database: Database) -> None:
    plan(database, 3)
    with ScriptedServer(extensions=PIPELINING, on_body="554 5.7.1 You are blocked") as server:
        drained = send(database, server)
    assert "You are blocked" in drained.stopped
    assert {(delivery.state, delivery.claim) for delivery in deliveries(database)} == {("planned", "")}
    assert server.messages == []
    assert server.commands[-1] == "DATA"  # of the second mail


def test_a_mail_waits_for_a_domain_that_says_later_while_its_commands_are_on_their_way(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock, "MOST_WAIT", timedelta(0))  # the run ends where it would wait for the turn
    plan(database, 3, domain="slow.example")
    with ScriptedServer(extensions=PIPELINING, on_body="451 4.7.1 Too many mails") as server:
        send(database, server)
    assert states(database) == {"deferred": 1, "planned": 2}
