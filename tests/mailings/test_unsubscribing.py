"""Unsubscribing and being forgotten: one farewell, a link to come back, and no mail after that."""

import time
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from core.database import Database
from core.frequencies import Frequency
from core.rate_storage import RateLimitCount
from delivery.models import Delivery
from delivery.sender import send_due
from mailings import account_mails
from mailings.digest_run import run_digest
from subscribers import accounts
from subscribers.erasure import is_forgotten
from subscribers.models import AccountEvent, Subscriber
from tests.support.account_actions import (
    DAY,
    HOUR,
    MINJI,
    act,
    confirm,
    fill_in_form,
    handle_of,
    links,
    outbox,
    publish,
    send,
    status_of,
    subscribe,
    unsubscribe,
    upkeep,
)
from tests.support.factories import IDENTITY, NOW, RULES, sending_context_at
from tests.support.outbox import recipients
from tests.support.servers.smtp import Message, ScriptedServer

# --- leaving ------------------------------------------------------------------------


def test_a_subscriber_who_leaves_gets_one_farewell_with_a_link_to_undo_it(
    database: Database, server: ScriptedServer
) -> None:
    subscribe(database)
    unsubscribe(database, reason="too many mails")
    unsubscribe(database)
    assert outbox(database) == [(MINJI, "farewell", "planned")]
    assert status_of(database) == "unsubscribed"
    send(database, server)
    assert recipients(server) == [MINJI]
    assert links(server, 0) == {("unsubscribe", handle_of(database))}


def test_somebody_who_never_confirmed_leaves_without_a_mail(database: Database) -> None:
    fill_in_form(database)
    unsubscribe(database)
    assert [kind for _, kind, _ in outbox(database)] == ["confirmation"]
    assert status_of(database) == "unsubscribed"


def test_leaving_again_and_again_sends_one_farewell_a_day(database: Database) -> None:
    subscribe(database)
    for after in (timedelta(), HOUR, DAY):
        unsubscribe(database, after=after)
        act(database, lambda session, subscriber: accounts.undo_unsubscribe(session, subscriber, NOW))
    assert [kind for _, kind, _ in outbox(database)] == ["farewell", "farewell"]


# --- forgetting ---------------------------------------------------------------------


def test_a_forgotten_subscriber_has_no_deliveries_and_gets_no_mail(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "jihoon@example.com")
    fill_in_form(database)
    confirm(database)
    unsubscribe(database)
    act(database, lambda session, subscriber: account_mails.forget(session, subscriber, IDENTITY, NOW))
    assert status_of(database) == "unknown"
    with sending_context_at(database, server) as context:
        assert run_digest(context, Frequency.WEEKLY, local_now=NOW, rules=RULES).sent == 1
    assert recipients(server) == ["jihoon@example.com"]
    assert [address for address, _, _ in outbox(database)] == ["jihoon@example.com"]
    with database.sessions() as session:
        assert is_forgotten(session, MINJI, IDENTITY.key)
        assert not session.scalars(
            select(AccountEvent).where(AccountEvent.subscriber_id.not_in(select(Subscriber.id)))
        ).all()


def test_a_forgotten_subscriber_can_sign_up_again(database: Database) -> None:
    subscribe(database)
    act(database, lambda session, subscriber: account_mails.forget(session, subscriber, IDENTITY, NOW))
    assert fill_in_form(database) == ["invited"]
    confirm(database)
    assert status_of(database) == "active"


@pytest.mark.parametrize("who", ["the one whose mail is being sent", "one who comes later"])
def test_forgetting_a_subscriber_during_a_digest_does_not_stop_it(database: Database, who: str) -> None:
    publish(database)
    addresses = [f"reader{number}@example.com" for number in range(3)]
    for address in addresses:
        subscribe(database, address)
    forgotten = addresses[0 if who.startswith("the one") else 2]

    def forget_at_first(message: Message) -> None:
        if message.rcpt == addresses[:1]:
            act(
                database,
                lambda session, subscriber: account_mails.forget(session, subscriber, IDENTITY, NOW),
                forgotten,
            )

    with ScriptedServer(on_body=forget_at_first) as server, sending_context_at(database, server) as context:
        report = run_digest(context, Frequency.WEEKLY, local_now=NOW, rules=RULES)
        assert (report.balances, report.stopped) == (True, "")
        assert recipients(server) == [to for to in addresses if to != forgotten or forgotten == addresses[0]]
        send_due(context, None, repeat_uncertain=True)  # the next run
    with database.sessions() as session:
        assert session.scalars(select(Subscriber.email).order_by(Subscriber.id)).all() == [
            address for address in addresses if address != forgotten
        ]
        assert session.scalar(select(func.count(Delivery.id))) == 2


def test_expired_rate_limit_counts_are_deleted(database: Database, server: ScriptedServer) -> None:
    with database.sessions.begin() as session:
        session.add(RateLimitCount(key="over", count=3, expires_at=1.0))
        session.add(RateLimitCount(key="running", count=3, expires_at=time.time() + 3600))
    upkeep(database, server)
    with database.sessions() as session:
        assert session.scalars(select(RateLimitCount.key)).all() == ["running"]
