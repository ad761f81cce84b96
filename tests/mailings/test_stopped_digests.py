"""A digest that stops early: the rest is sent later, once, to those who are still subscribed."""

import pytest

from core.database import Database
from mailings.resend.request import ResendGroup, ResendRequest
from mailings.upkeep import run_upkeep
from subscribers.accounts import find, pause, unsubscribe
from subscribers.status import SubscriberStatus
from tests.support.account_actions import WEEK, cursor_of, publish, subscribe
from tests.support.digests import bodies_of, digest, stopped_digest
from tests.support.factories import NOW, RULES, sending_context_at
from tests.support.outbox import recipients
from tests.support.resends import resend
from tests.support.servers.smtp import ScriptedServer, in_order


def test_a_refused_sender_stops_the_run_and_the_next_run_sends_everything(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "a@example.com", "b@example.com", "c@example.com")
    report = stopped_digest(database)
    assert (report.candidates, report.sent, report.failed, report.planned) == (3, 0, 0, 3)
    assert "5.7.1 Sender refused" in report.fault
    assert "3 deliveries stay planned" in report.fault
    again = digest(database, server)
    assert (again.candidates, again.sent, again.fault) == (3, 3, "")
    assert sorted(recipients(server)) == ["a@example.com", "b@example.com", "c@example.com"]


def test_an_unreachable_server_stops_the_run_and_upkeep_sends_the_mails_later(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "a@example.com", "b@example.com")
    with ScriptedServer() as closed:
        pass
    report = digest(database, closed)
    assert (report.planned, report.sent) == (2, 0)
    assert report.fault
    with sending_context_at(database, server) as context:
        upkeep = run_upkeep(context, local_now=NOW, rules=RULES)
    assert upkeep.fault == ""
    assert upkeep.retries.sent == 2
    assert recipients(server) == ["a@example.com", "b@example.com"]


def test_a_run_that_stops_midway_sends_the_rest_next_time_and_repeats_nothing(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, *(f"{name}@example.com" for name in "abcd"))
    with ScriptedServer(on_mail=in_order(None, None, "530 5.7.0 Authentication required")) as unreliable:
        report = digest(database, unreliable)
        assert recipients(unreliable) == ["a@example.com", "b@example.com"]
    assert (report.sent, report.planned, report.candidates) == (2, 2, 4)
    assert digest(database, server).sent == 2
    assert recipients(server) == ["d@example.com", "c@example.com"], (
        "the mail that stopped the run comes last"
    )


@pytest.mark.parametrize("leave", [pause, unsubscribe])
def test_a_subscriber_who_leaves_between_plan_and_send_gets_nothing_and_misses_nothing(
    database: Database, server: ScriptedServer, leave: object
) -> None:
    publish(database)
    subscribe(database, "a@example.com", "b@example.com")
    assert stopped_digest(database).planned == 2
    with database.sessions.begin() as session:
        subscriber = find(session, "a@example.com")
        assert subscriber
        assert subscriber.cursor == 3
        leave(subscriber, NOW)  # type: ignore[operator]
        expected = subscriber.status
    report = digest(database, server)
    assert recipients(server) == ["b@example.com"]
    assert (report.candidates, report.reasons) == (2, {expected: 1})
    assert (cursor_of(database, "a@example.com"), cursor_of(database, "b@example.com")) == (0, 3)


def test_a_subscriber_who_paused_before_sending_gets_the_papers_in_the_next_digest(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "a@example.com")
    stopped_digest(database)
    with database.sessions.begin() as session:
        subscriber = find(session, "a@example.com")
        assert subscriber
        pause(subscriber, NOW)
    digest(database, server)
    with database.sessions.begin() as session:
        subscriber = find(session, "a@example.com")
        assert subscriber
        subscriber.status = SubscriberStatus.ACTIVE
    publish(database, 2, topic_id=9002, days=7)
    digest(database, server, after=WEEK)
    (text,) = bodies_of(server, "a@example.com")
    assert text.count("번째 논문의 초록입니다.") == 5


def test_papers_whose_digest_and_copy_were_both_not_sent_come_with_the_next_digest(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "a@example.com")
    stopped_digest(database)
    with ScriptedServer(on_mail="550 5.7.1 Sender refused") as refusing:
        everyone = ResendRequest(issue="2025-07-28", groups=(ResendGroup.EVERYONE,), reason="a trial")
        assert resend(database, refusing, everyone, NOW).planned == 1
    with database.sessions.begin() as session:
        subscriber = find(session, "a@example.com")
        assert subscriber
        pause(subscriber, NOW)
    digest(database, server)  # it skips the mail of the digest, and upkeep the copy
    with sending_context_at(database, server, NOW) as context:
        run_upkeep(context, local_now=NOW, rules=RULES)
    assert (server.messages, cursor_of(database, "a@example.com")) == ([], 0)
