"""Sending ahead: the opening commands of the next mail are sent together with the text of this one."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress as suppress_errors
from datetime import timedelta

import pytest
from sqlalchemy import update

from core.database import Database
from core.rate_storage import DatabaseStorage
from delivery import claim_buffer
from delivery.context import SendingContext
from delivery.group_commit import GroupCommit
from delivery.models import Delivery
from delivery.rate_limit import HourlyQuota
from delivery.sender import send_due
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp import connection
from delivery.transport.smtp.protocol import SmtpProtocol
from delivery.transport.smtp.server import SmtpServer
from emails.message import Message as MailMessage
from subscribers.accounts import find, unsubscribe
from subscribers.suppression import suppress
from tests.support.factories import IDENTITY, NOW
from tests.support.outbox import deliveries, plan_mails, recipients, send, states
from tests.support.servers.smtp import ScriptedServer, once

PIPELINING = ("8BITMIME", "SIZE 20971520", "PIPELINING")


@contextmanager
def server_that_waits_for_the_next_mail(mails: int) -> Iterator[SmtpServer]:
    """A server that answers a text only when it has the commands of the next mail."""
    listener = socket.create_server(("127.0.0.1", 0))
    finished: list[bool] = []

    def serve() -> None:
        client, _ = listener.accept()
        client.settimeout(20)
        with client, client.makefile("rb") as received:
            client.sendall(b"220 patient.test ESMTP\r\n")
            received.readline()
            client.sendall(b"250-patient.test\r\n250 PIPELINING\r\n")
            for left in reversed(range(mails)):
                while received.readline() != b"DATA\r\n":
                    pass
                client.sendall(b"250 Ok\r\n250 Ok\r\n354 Go on\r\n")
                while received.readline() != b".\r\n":
                    pass
                if left:
                    received.peek(1)  # blocks until something comes
                client.sendall(b"250 2.0.0 Queued\r\n")
            finished.append(received.readline() == b"QUIT\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    host, port = listener.getsockname()
    yield SmtpServer(host, port, "none")
    thread.join(30)
    listener.close()
    assert finished == [True]


# It is long because it is a whole SMTP server.
@contextmanager
def server_that_drops_commands_after_a_text(mails: int) -> Iterator[tuple[SmtpServer, list[bytes]]]:
    """A server that ignores what comes after a text, and the first command of each connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    hellos: list[bytes] = []
    accepted: list[bytes] = []

    def drop_the_rest(client: socket.socket) -> None:
        client.settimeout(0.1)
        with suppress_errors(TimeoutError):
            while client.recv(65_536):
                pass
        client.settimeout(None)

    def talk(client: socket.socket) -> None:
        client.sendall(b"220 forgetful.test ESMTP\r\n")
        hellos.append(client.recv(1000))
        client.sendall(b"250-forgetful.test\r\n250 PIPELINING\r\n")
        received = b""
        while data := client.recv(65_536):
            received += data
            if b"\r\n.\r\n" in received:
                drop_the_rest(client)
                accepted.append(received)
                client.sendall(b"250 2.0.0 Queued\r\n")
                received = b""
            elif received.endswith(b"DATA\r\n"):
                client.sendall(b"250 Ok\r\n250 Ok\r\n354 Go on\r\n")
                received = b""

    def serve() -> None:
        while len(accepted) < mails:
            client, _ = listener.accept()
            with client, suppress_errors(OSError):
                talk(client)

    thread = threading.Thread(target=serve)
    thread.start()
    host, port = listener.getsockname()
    yield SmtpServer(host, port, "none"), hellos
    thread.join(30)
    listener.close()
    assert len(accepted) == mails


def test_only_one_mail_waits_for_a_server_that_drops_commands_after_a_text(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_TIMEOUTS", dict.fromkeys(connection._TIMEOUTS, 1.5))
    plan_mails(sqlite_database, 5)
    with server_that_drops_commands_after_a_text(5) as (server, hellos):
        send_due(
            SendingContext(sqlite_database, SmtpPool([server]), IDENTITY, lambda: NOW),
            None,
            repeat_uncertain=True,
        )
    assert states(sqlite_database) == {"sent": 5}
    assert len(hellos) == 2


def test_the_commands_of_a_mail_are_sent_with_the_text_of_the_mail_before(sqlite_database: Database) -> None:
    plan_mails(sqlite_database, 3)
    with server_that_waits_for_the_next_mail(3) as server:
        send_due(
            SendingContext(sqlite_database, SmtpPool([server]), IDENTITY, lambda: NOW),
            None,
            repeat_uncertain=True,
        )
    assert states(sqlite_database) == {"sent": 3}


@pytest.mark.parametrize("how", ["unsubscribed", "suppressed"])
def test_a_subscriber_who_leaves_between_the_commands_and_the_text_gets_no_mail(
    database: Database, how: str
) -> None:
    first, second, third = plan_mails(database, 3)

    def leave() -> None:
        with database.sessions.begin() as session:
            subscriber = find(session, second)
            assert subscriber is not None
            if how == "suppressed":
                suppress(session, second, "returned", NOW)
            else:
                unsubscribe(subscriber, NOW)

    with ScriptedServer(extensions=PIPELINING, on_body=once(leave)) as server:
        result = send(database, server)
    assert recipients(server) == [first, third]
    assert [delivery.state for delivery in deliveries(database)] == ["sent", "skipped", "sent"]
    assert result.states == {"sent": 2, "skipped": 1}


def test_a_run_that_stops_sends_nothing_to_a_server_that_waits_for_a_text(database: Database) -> None:
    plan_mails(database, 3)
    with ScriptedServer(extensions=PIPELINING, on_body="554 5.7.1 You are blocked") as server:
        result = send(database, server)
    assert "You are blocked" in result.stopped
    assert {(delivery.state, delivery.claimed_by) for delivery in deliveries(database)} == {("planned", "")}
    assert server.messages == []
    assert server.commands[-1] == "DATA"  # of the second mail


def test_a_mail_whose_commands_were_sent_waits_for_a_domain_that_says_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_buffer, "MAX_WAIT", timedelta(0))  # the run ends instead of waiting
    plan_mails(database, 3, domain="slow.example")
    with ScriptedServer(extensions=PIPELINING, on_body="451 4.7.1 Too many mails") as server:
        send(database, server)
    assert states(database) == {"deferred": 1, "planned": 2}


def test_a_mail_that_is_being_put_back_is_not_claimed_twice(database: Database) -> None:
    plan_mails(database, 2)
    commits = GroupCommit(database, "sender", lambda: NOW, timedelta(minutes=1))
    quota = HourlyQuota(DatabaseStorage(database), 0)
    claims = claim_buffer.ClaimBuffer(
        commits, None, quota, connections=1, repeat_uncertain=True, clock=lambda: NOW
    )

    async def claim_all() -> list[int]:
        await claims.refill()
        return [claim.id for claim in iter(claims.pop, None)]

    first, second = asyncio.run(claim_all())
    with (
        database.sessions.begin() as session
    ):  # a worker has put it back, and does not know yet that this was committed
        session.execute(
            update(Delivery).where(Delivery.id == first).values(state="planned", claimed_by="", due_at=NOW)
        )
    assert asyncio.run(claim_all()) == []
    claims.release(first, is_attempted=False)
    assert asyncio.run(claim_all()) == [first]
    assert {delivery.id: delivery.state for delivery in deliveries(database)} == {
        first: "claimed",
        second: "claimed",
    }
    asyncio.run(commits.close())


def test_a_client_that_is_cancelled_while_the_server_waits_for_a_text_sends_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server_waits, client_is_gone = threading.Event(), threading.Event()
    sent: list[bytes] = []
    write = SmtpProtocol.write

    def write_and_record(self: SmtpProtocol, *parts: bytes) -> None:
        sent.extend(parts)
        write(self, *parts)

    monkeypatch.setattr(SmtpProtocol, "write", write_and_record)
    mails = [
        MailMessage("b@paperboy.example", f"reader{n}@example.com", (b"Subject: Hi\r\n\r\nHi\r\n",))
        for n in (1, 2)
    ]

    def on_data(_nothing: object) -> None:
        if len(server.messages):
            server_waits.set()
            assert client_is_gone.wait(30)

    async def send_and_cancel(server: SmtpServer) -> None:
        client = SmtpPool([server]).client()
        await client.send(mails[0], mails[1])
        second = asyncio.create_task(client.send(mails[1]))
        assert await asyncio.to_thread(server_waits.wait, 30)
        second.cancel()
        with suppress_errors(asyncio.CancelledError):
            await second
        await client.close()
        client_is_gone.set()

    with ScriptedServer(extensions=PIPELINING, on_data=on_data) as server:
        asyncio.run(send_and_cancel(SmtpServer(server.host, server.port, "none")))
    assert len(server.messages) == 1
    assert b"QUIT\r\n" not in sent
