"""What follows from the replies of a server: a mail is sent, deferred or failed, or the run stops."""

import itertools
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.database import Database
from delivery import claim_buffer
from subscribers.models import Subscriber
from subscribers.suppression import is_suppressed, suppress
from tests.support.factories import NOW
from tests.support.outbox import deliveries, message_ids, plan_mails, recipients, send, states
from tests.support.servers.smtp import DROP, Reply, ScriptedServer, in_order


def test_an_accepted_mail_is_sent_with_its_reply_and_message_id(
    database: Database, server: ScriptedServer
) -> None:
    plan_mails(database, 1)
    send(database, server)
    (delivery,) = deliveries(database)
    assert (delivery.state, delivery.reply, delivery.settled_at, delivery.attempts) == (
        "sent",
        "250 2.0.0 Queued",
        NOW,
        1,
    )
    assert message_ids(server) == [f"<{delivery.message_id}>"]
    send(database, server)
    assert len(server.messages) == 1


@pytest.mark.parametrize("reply", ["451 4.7.1 Greylisted", "421 4.3.2 Shutting down", DROP])
def test_a_deferred_mail_is_sent_again_when_due_and_not_before(database: Database, reply: Reply) -> None:
    plan_mails(database, 1)
    with ScriptedServer(on_rcpt=in_order(reply)) as server:
        send(database, server)
        (delivery,) = deliveries(database)
        assert delivery.state == "deferred"
        assert delivery.due_at
        assert timedelta(minutes=14) < delivery.due_at - NOW < timedelta(minutes=16)
        send(database, server, now=NOW + timedelta(minutes=14))
        assert server.messages == []
        send(database, server, now=delivery.due_at)
        assert message_ids(server) == [f"<{delivery.message_id}>"]


def test_the_backoff_grows_and_a_delivery_fails_after_48_hours(database: Database) -> None:
    plan_mails(database, 1)
    backoffs: list[timedelta] = []
    now = NOW
    with ScriptedServer(on_rcpt="451 4.7.1 Greylisted") as server:
        while states(database) != {"failed": 1}:
            send(database, server, now=now)
            (delivery,) = deliveries(database)
            if delivery.state == "deferred":
                assert delivery.due_at
                backoffs.append(delivery.due_at - now)
                now = delivery.due_at
            assert len(backoffs) < 50
    assert all(after > before * 1.5 for before, after in itertools.pairwise(backoffs[:6]))
    assert timedelta(minutes=14) < backoffs[0] < timedelta(minutes=16)
    assert max(backoffs) < timedelta(hours=9)
    assert timedelta(hours=44) < now - NOW < timedelta(hours=52)
    assert "4.7.1" in delivery.reply


def test_a_dead_address_fails_and_is_never_mailed_again(database: Database) -> None:
    dead, alive = plan_mails(database, 2)
    with ScriptedServer(on_rcpt=in_order("550 5.1.1 No such user")) as server:
        send(database, server)
        assert recipients(server) == [alive]
    assert [delivery.state for delivery in deliveries(database)] == ["failed", "sent"]
    with database.sessions() as session:
        assert is_suppressed(session, dead)
        assert not is_suppressed(session, alive)
        assert session.scalars(select(Subscriber.status).order_by(Subscriber.id)).all() == [
            "bounced",
            "active",
        ]


def test_a_mail_to_a_full_mailbox_fails_and_the_address_is_not_suppressed(database: Database) -> None:
    (address,) = plan_mails(database, 1)
    with ScriptedServer(on_rcpt="552 5.2.2 Mailbox full") as server:
        send(database, server)
    assert states(database) == {"failed": 1}
    with database.sessions() as session:
        assert not is_suppressed(session, address)


@pytest.mark.parametrize(
    ("hook", "reply"),
    [
        ("on_connect", "554 5.3.2 Not now"),
        ("on_mail", "550 5.7.1 Sender refused"),
        ("on_rcpt", "530 5.7.0 Authentication required"),
        ("on_body", "550 5.7.26 Unauthenticated"),
        ("on_body", "552 5.3.4 Too big"),
    ],
)
def test_a_fault_of_ours_stops_the_run_and_leaves_every_delivery_planned(
    database: Database, server: ScriptedServer, hook: str, reply: str
) -> None:
    plan_mails(database, 3)
    with ScriptedServer(**{hook: reply}) as refusing:  # type: ignore[arg-type]
        result = send(database, refusing)
        assert refusing.sessions == 1
    assert reply in result.stopped
    assert states(database) == {"planned": 3}
    assert sum(delivery.attempts for delivery in deliveries(database)) <= 1
    send(database, server)
    assert states(database) == {"sent": 3}


def test_nobody_loses_a_mail_when_a_fault_of_ours_lasts_for_hours(
    database: Database, server: ScriptedServer
) -> None:
    plan_mails(database, 1)
    with ScriptedServer(on_mail="550 5.7.1 Account suspended") as refusing:
        for minutes in range(30):
            send(database, refusing, now=NOW + timedelta(minutes=minutes))
    assert states(database) == {"planned": 1}
    send(database, server, now=NOW + timedelta(hours=12))
    assert states(database) == {"sent": 1}


def test_a_mail_fails_when_a_fault_of_ours_lasts_for_two_days(database: Database) -> None:
    plan_mails(database, 1)
    with ScriptedServer(on_mail="550 5.7.1 Blocked") as refusing:
        for hours in (0, 47, 49):
            send(database, refusing, now=NOW + timedelta(hours=hours))
    assert states(database) == {"failed": 1}


def test_a_mail_that_was_deferred_for_days_does_not_fail_at_the_first_fault_of_ours(
    database: Database,
) -> None:
    plan_mails(database, 1)
    with ScriptedServer(on_rcpt="451 4.3.0 Not now") as deferring:
        send(database, deferring)
    with ScriptedServer(on_mail="550 5.7.1 Account suspended") as refusing:
        send(database, refusing, now=NOW + timedelta(days=3))
    assert states(database) == {"planned": 1}


def test_ten_refusals_in_a_row_stop_the_run(database: Database) -> None:
    plan_mails(database, 15)
    with ScriptedServer(on_rcpt="451 4.7.1 Too many") as server:
        result = send(database, server)
    assert "10 mails in a row" in result.stopped
    assert states(database) == {"deferred": 10, "planned": 5}


def test_refusals_that_are_not_in_a_row_do_not_stop_the_run(database: Database) -> None:
    plan_mails(database, 15)
    refusals: list[Reply | None] = ["451 4.7.1 Later"] * 9
    with ScriptedServer(on_rcpt=in_order(*refusals, None, *refusals)) as server:
        assert send(database, server).stopped == ""
    assert states(database) == {"deferred": 14, "sent": 1}


def test_a_suppressed_address_gets_no_mail_even_if_one_was_planned(
    database: Database, server: ScriptedServer
) -> None:
    first, second = plan_mails(database, 2)
    with database.sessions.begin() as session:
        suppress(session, first, "complained", NOW)
    send(database, server)
    assert recipients(server) == [second]
    skipped = deliveries(database)[0]
    assert (skipped.state, skipped.reply) == ("skipped", "suppressed")


def test_all_mails_are_sent_when_there_are_more_than_a_batch(
    database: Database, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_buffer, "MIN_BATCH", 2)
    addresses = plan_mails(database, 5)
    send(database, server)
    assert recipients(server) == addresses
    assert server.sessions == 1
