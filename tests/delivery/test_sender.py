"""The sender: several senders and connections at once send every mail once."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

import core.database
from core.bulk_update import open_update_connection
from core.database import Database
from delivery import claim_buffer, planner, sender, settlement
from delivery.context import SendingContext, SendingLimits
from delivery.models import Delivery
from delivery.outbox import Lease, claim, mark_uncertain, queues_with_work
from delivery.sender import send_due
from delivery.settlement import commit_fast
from delivery.transport.base import Client, FaultCategory, SendError
from emails.message import Message
from tests.support.database_faults import log_lines
from tests.support.factories import IDENTITY, NOW
from tests.support.outbox import SLOT, deliveries, plan_mails, recipients, send, states
from tests.support.servers.smtp import ScriptedServer

_TWO_AT_NOW: dict[str, Any] = {"now": NOW, "repeat_uncertain": False, "limit": 2}


class Crash(BaseException):
    """The process dies here."""


def test_two_senders_at_once_send_every_mail_once(database: Database) -> None:
    addresses = plan_mails(database, 12)
    both_started = threading.Barrier(2, timeout=30)
    with ScriptedServer() as server:

        def run() -> None:
            both_started.wait()
            send(database, server)

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert sorted(recipients(server)) == sorted(addresses)
    assert states(database) == {"sent": 12}


def test_a_mail_that_was_taken_for_lost_is_not_sent_by_the_sender_that_was_silent(database: Database) -> None:
    plan_mails(database, 1)
    lease = Lease("silent", NOW)
    with database.sessions.begin() as session:
        claims = claim(session, SLOT, lease, **_TWO_AT_NOW)
    with database.sessions.begin() as session:
        mark_uncertain(session, [claims[0].id], NOW)
    with open_update_connection(database.engine) as connection:
        assert not asyncio.run(commit_fast(connection, [], claims, lease))
    assert states(database) == {"uncertain": 1}


def test_letters_are_sent_before_digests_whatever_their_slots_are_called(database: Database) -> None:
    plan_mails(database, 3)
    with database.sessions.begin() as session:
        queues = ("weekly:2025-W32", "prompt", "daily:2025-08-05")
        for delivery, queue in zip(session.scalars(select(Delivery)), queues, strict=True):
            delivery.queue = queue
    with database.sessions() as session:
        assert queues_with_work(session) == ["prompt", "daily:2025-08-05", "weekly:2025-W32"]


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_a_sender_does_not_wait_for_mails_that_another_one_is_claiming(database: Database) -> None:
    plan_mails(database, 4)
    with database.sessions() as one, database.sessions() as other:
        other.execute(text("SET LOCAL lock_timeout = '10s'"))
        claimed = [
            [found.id for found in claim(session, SLOT, Lease(token, NOW), **_TWO_AT_NOW)]
            for token, session in (("one", one), ("other", other))
        ]
    assert claimed == [[1, 2], [3, 4]]


def test_a_second_sender_does_not_repeat_the_mail_that_the_first_one_is_sending(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the server has not answered the first mail, another sender starts, and must wait."""
    plan_mails(database, 2)
    in_flight, may_answer, waits = threading.Event(), threading.Event(), threading.Event()
    wait_for_others = claim_buffer.ClaimBuffer._wait_for_others

    async def wait_and_say_so(claims: claim_buffer.ClaimBuffer) -> bool:
        waits.set()
        return await wait_for_others(claims)

    monkeypatch.setattr(claim_buffer.ClaimBuffer, "_wait_for_others", wait_and_say_so)

    def answer_slowly(_message: object) -> None:
        in_flight.set()
        assert may_answer.wait(30)

    # On SQLite the second sender does not even look, but logs that it waits.
    with ScriptedServer(on_body=answer_slowly) as server, log_lines(waits.set):
        first = threading.Thread(target=send, args=(database, server))
        second = threading.Thread(target=send, args=(database, server))
        first.start()
        assert in_flight.wait(30)
        second.start()
        assert waits.wait(30)
        assert second.is_alive()
        assert server.sessions == 1
        may_answer.set()
        first.join(30)
        second.join(30)
    assert len(server.messages) == 2
    assert states(database) == {"sent": 2}


def test_a_mail_that_cannot_be_built_fails_alone(database: Database, server: ScriptedServer) -> None:
    plan_mails(database, 3)
    with database.sessions.begin() as session:
        second = session.scalars(select(Delivery).order_by(Delivery.id)).all()[1]
        second.message_id = "broken\r\nid@example.com"
    assert send(database, server).stopped == ""
    assert states(database) == {"sent": 2, "failed": 1}


def test_a_server_that_accepts_fewer_connections_gets_every_mail(database: Database) -> None:
    plan_mails(database, 40)
    full = "421 4.7.0 Too many connections"
    with ScriptedServer(on_connect=lambda number: full if number > 2 else None) as server:
        result = send(database, server, limits=SendingLimits(connections=6))
        assert not result.stopped
        assert states(database) == {"sent": 40}
        assert len(set(recipients(server))) == len(recipients(server)) == 40


def test_nobody_loses_a_mail_when_a_server_refuses_everyone(
    database: Database, server: ScriptedServer
) -> None:
    plan_mails(database, 12)
    with ScriptedServer(on_body="554 blocked") as blocking:
        assert "the first 3 mails were refused" in send(database, blocking).stopped
    assert states(database) == {"planned": 12}
    send(database, server)
    assert states(database) == {"sent": 12}


def test_the_reason_why_a_run_stopped_has_no_address_of_a_subscriber(database: Database) -> None:
    plan_mails(database, 3)
    with ScriptedServer(on_rcpt="550 5.7.1 <reader0@example0.com>: Relay access denied") as server:
        stopped = send(database, server).stopped
    assert "5.7.1 <address>: Relay access denied" in stopped
    assert "reader0" not in stopped


def test_a_waiting_letter_does_not_limit_a_digest_to_one_connection(database: Database) -> None:
    plan_mails(database, 40)
    with database.sessions.begin() as session:
        session.scalars(select(Delivery)).first().queue = planner.PRIORITY_QUEUE  # type: ignore[union-attr]
    with ScriptedServer() as server:
        send(database, server, limits=SendingLimits(connections=4))
        assert server.sessions == 4
    assert states(database) == {"sent": 40}


def test_a_run_that_cannot_renew_its_claims_ends(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def renew(_claims: claim_buffer.ClaimBuffer) -> None:
        raise Crash

    plan_mails(database, 40)
    monkeypatch.setattr(claim_buffer.ClaimBuffer, "renew", renew)
    monkeypatch.setattr(sender, "WATCH_INTERVAL_SECONDS", 0.001)
    with ScriptedServer() as server, pytest.raises(Crash):
        send(database, server, lease=timedelta(0), limits=SendingLimits(per_second=20))
    assert states(database)["sent"] < 40


def test_workers_that_wait_for_the_rate_limit_send_nothing_once_the_run_stops(database: Database) -> None:
    plan_mails(database, 10)
    with ScriptedServer(on_mail="550 5.7.1 You are not welcome") as server:
        assert send(database, server, limits=SendingLimits(connections=3, per_second=2)).stopped
        assert sum(command.startswith("MAIL") for command in server.commands) == 1
    assert states(database) == {"planned": 10}


class RefusingTransport:
    """A transport that refuses our sender at its first message, once the database is `away`."""

    def __init__(self) -> None:
        self.is_away, self.has_refused = asyncio.Event(), False
        self.accepted: list[Message] = []
        self.clients = 0

    def client(self) -> Client:
        self.clients += 1
        return RefusedClient(self) if self.clients == 1 else AcceptedClient(self)


class AcceptedClient:
    """A client whose messages are all accepted."""

    def __init__(self, transport: RefusingTransport) -> None:
        self.transport = transport

    async def send(self, message: Message, following: Message | None = None) -> str:  # noqa: ARG002  a protocol
        self.transport.accepted.append(message)
        return "250 2.0.0 Queued"

    async def close(self) -> None:
        """Close nothing, because there is no connection."""


class RefusedClient(AcceptedClient):
    """The client that is refused."""

    async def send(self, message: Message, following: Message | None = None) -> str:  # noqa: ARG002  a protocol
        await self.transport.is_away.wait()
        self.transport.has_refused = True
        raise SendError("550 5.7.1 Sender refused", FaultCategory.OURS)


def test_a_worker_that_waits_for_the_database_sends_nothing_once_the_run_has_stopped(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.database, "INITIAL_RETRY_SECONDS", 0.01)
    plan_mails(database, 6)
    transport, commit_fast = RefusingTransport(), settlement.commit_fast

    async def commit_unless_away(*arguments: Any) -> bool:
        if transport.accepted and not transport.has_refused:
            transport.is_away.set()
            raise OperationalError("UPDATE", {}, psycopg.OperationalError("connection refused"))
        return await commit_fast(*arguments)

    monkeypatch.setattr(settlement, "commit_fast", commit_unless_away)
    context = SendingContext(database, transport, IDENTITY, lambda: NOW, limits=SendingLimits(connections=2))
    assert "Sender refused" in send_due(context, None, repeat_uncertain=True).stopped
    assert len(transport.accepted) == 1
    assert states(database) == {"sent": 1, "planned": 5}


def test_a_reply_is_stored_without_control_characters(database: Database) -> None:
    plan_mails(database, 1)
    with ScriptedServer(on_body="250 2.0.0 Ok\0 queued\x1b[2J") as server:
        send(database, server)
    assert [(row.state, row.reply) for row in deliveries(database)] == [("sent", "250 2.0.0 Ok  queued [2J")]
