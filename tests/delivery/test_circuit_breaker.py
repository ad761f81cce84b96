"""The circuit breaker stops a run that is refused everywhere, and the mails that failed are planned again."""

from datetime import timedelta

import pytest

from core.database import Database
from delivery.circuit_breaker import MAX_CONSECUTIVE_FAILURES, WINDOW_MAILS, CircuitBreaker
from delivery.retry import MAX_WAIT_FOR_OUR_FAULT
from subscribers.suppression import is_suppressed
from tests.support.factories import NOW
from tests.support.outbox import deliveries, plan_mails, recipients, send, states
from tests.support.servers.smtp import ScriptedServer, in_order

BLOCKED = "554 5.3.0 blocked"
POLICY = "550 5.7.1 Relaying denied"
DEAD = "550 5.1.1 No such user"


def test_one_accepted_mail_among_refused_ones_keeps_the_run_going() -> None:
    breaker = CircuitBreaker()
    for delivery_id in range(MAX_CONSECUTIVE_FAILURES - 1):
        assert breaker.record_failure(delivery_id) == ""
    breaker.record_success()
    for delivery_id in range(MAX_CONSECUTIVE_FAILURES - 1):
        assert breaker.record_failure(delivery_id) == ""
    assert "in a row" in breaker.record_failure(99)


def test_a_run_stops_when_more_than_half_of_the_last_hundred_mails_were_refused() -> None:
    breaker = CircuitBreaker()
    for delivery_id in range(WINDOW_MAILS // 2):
        breaker.record_success()
        assert breaker.record_failure(delivery_id) == ""
    assert "51 of the last 100" in breaker.record_failure(99)
    assert len(breaker.failed_ids) == WINDOW_MAILS // 2 + 1


@pytest.mark.parametrize("refused_before", [0, 2])
def test_mails_that_failed_before_a_run_stopped_are_planned_again_and_arrive(
    database: Database, refused_before: int
) -> None:
    """That includes those before an accepted mail, because nobody knows since when the server has blocked."""
    addresses = plan_mails(database, 20)
    first = [BLOCKED] * refused_before + [None]
    with ScriptedServer(on_rcpt=in_order(*first, *[BLOCKED] * MAX_CONSECUTIVE_FAILURES)) as server:
        result = send(database, server)
        assert f"{MAX_CONSECUTIVE_FAILURES} mails in a row" in result.stopped
        assert states(database) == {"sent": 1, "planned": 19}
        assert +result.states == {"sent": 1}
        send(database, server)
    assert states(database) == {"sent": 20}
    assert sorted(message.rcpt[0] for message in server.messages) == sorted(addresses)


def test_a_rule_against_one_recipient_costs_only_that_delivery(database: Database) -> None:
    refused, *others = plan_mails(database, 4)
    with ScriptedServer(on_rcpt=in_order(POLICY)) as server:
        assert send(database, server).stopped == ""
        assert recipients(server) == others
    first = deliveries(database)[0]
    assert (first.state, first.reply) == ("failed", f"rcpt: {POLICY}")
    with database.sessions() as session:
        assert not is_suppressed(session, refused)


def test_a_server_that_refuses_the_first_mails_to_several_domains_stops_the_run(database: Database) -> None:
    plan_mails(database, 5)
    with ScriptedServer(on_rcpt=POLICY) as refusing:
        result = send(database, refusing)
    assert result.stopped == f"the first 3 mails were refused, the last with: rcpt: {POLICY}"
    assert states(database) == {"planned": 5}


def test_one_domain_that_refuses_a_few_mails_does_not_stop_the_others(database: Database) -> None:
    plan_mails(database, 3, domain="company.example")
    others = plan_mails(database, 2)
    with ScriptedServer(on_rcpt=in_order(*[POLICY] * 3)) as server:
        assert send(database, server).stopped == ""
        assert recipients(server) == others


def test_mails_that_are_refused_for_two_days_are_not_planned_again(database: Database) -> None:
    plan_mails(database, 3)
    with ScriptedServer(on_rcpt=POLICY) as refusing:
        assert send(database, refusing, now=NOW + MAX_WAIT_FOR_OUR_FAULT - timedelta(hours=1)).stopped
        assert states(database) == {"planned": 3}
        assert send(database, refusing, now=NOW + MAX_WAIT_FOR_OUR_FAULT).stopped
    assert states(database) == {"failed": 3}


def test_a_mail_that_was_planned_again_is_not_given_up_at_a_fault_of_ours_days_later(
    database: Database,
) -> None:
    plan_mails(database, MAX_CONSECUTIVE_FAILURES)
    later = NOW + MAX_WAIT_FOR_OUR_FAULT + timedelta(days=1)
    with ScriptedServer(on_rcpt=BLOCKED) as blocking:
        assert send(database, blocking).stopped
    with ScriptedServer(on_mail="550 5.7.1 Sender refused") as refusing:
        assert send(database, refusing, now=later).stopped
    assert states(database) == {"planned": MAX_CONSECUTIVE_FAILURES}
    with ScriptedServer() as server:
        send(database, server, now=later + timedelta(hours=1))
    assert states(database) == {"sent": MAX_CONSECUTIVE_FAILURES}


def test_dead_addresses_in_a_row_do_not_stop_a_run_and_stay_failed(database: Database) -> None:
    """An old list has many dead addresses, which does not mean that the server blocks us."""
    addresses = plan_mails(database, 2 * MAX_CONSECUTIVE_FAILURES)
    with ScriptedServer(on_rcpt=DEAD) as server:
        assert send(database, server).stopped == ""
    assert states(database) == {"failed": 2 * MAX_CONSECUTIVE_FAILURES}
    with database.sessions() as session:
        assert all(is_suppressed(session, address) for address in addresses)


def test_a_dead_address_stays_failed_when_a_run_stops_for_others(database: Database) -> None:
    plan_mails(database, MAX_CONSECUTIVE_FAILURES + 1)
    with ScriptedServer(on_rcpt=in_order(DEAD, *[BLOCKED] * MAX_CONSECUTIVE_FAILURES)) as server:
        assert send(database, server, now=NOW).stopped
    assert [delivery.state for delivery in deliveries(database)] == [
        "failed",
        *["planned"] * MAX_CONSECUTIVE_FAILURES,
    ]
