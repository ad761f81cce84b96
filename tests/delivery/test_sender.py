"""The sender: several senders and connections at once send every mail once."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from core.database import Database
from delivery import claim_buffer, planner, sender
from delivery.context import SendingLimits
from delivery.models import Delivery
from delivery.outbox import Lease, claim, queues_with_work
from tests.support.factories import NOW
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


def test_a_second_sender_does_not_repeat_the_mail_that_the_first_one_is_sending(database: Database) -> None:
    """While the server has not answered the first mail, another sender starts, and must wait."""
    plan_mails(database, 2)
    in_flight, may_answer = threading.Event(), threading.Event()

    def answer_slowly(_message: object) -> None:
        in_flight.set()
        assert may_answer.wait(30)

    with ScriptedServer(on_body=answer_slowly) as server:
        first = threading.Thread(target=send, args=(database, server))
        second = threading.Thread(target=send, args=(database, server))
        first.start()
        assert in_flight.wait(30)
        second.start()
        second.join(0.3)
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
        assert "10 mails in a row" in send(database, blocking).stopped
    assert states(database) == {"planned": 12}
    send(database, server)
    assert states(database) == {"sent": 12}


def test_the_reason_why_a_run_stopped_has_no_address_of_a_subscriber(database: Database) -> None:
    plan_mails(database, 1)
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


def test_a_reply_is_stored_without_control_characters(database: Database) -> None:
    plan_mails(database, 1)
    with ScriptedServer(on_body="250 2.0.0 Ok\0 queued\x1b[2J") as server:
        send(database, server)
    assert [(row.state, row.reply) for row in deliveries(database)] == [("sent", "250 2.0.0 Ok  queued [2J")]
