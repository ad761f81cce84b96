"""Upkeep answers sign-up requests, ends pauses and drops sign-ups that nobody confirmed."""

from sqlalchemy import func, select

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from mailings.digest_run import run_digest
from subscribers import accounts
from subscribers.accounts import SIGNUP_LIFETIME
from subscribers.models import ForgottenAddress, SignupRequest
from tests.support.account_actions import (
    DAY,
    HOUR,
    MINJI,
    SECOND,
    WEEK,
    act,
    cursor_of,
    fill_in_form,
    handle_of,
    links,
    outbox,
    publish,
    send,
    status_of,
    subscribe,
    upkeep,
)
from tests.support.factories import NOW, RULES, sending_context_at
from tests.support.outbox import recipients
from tests.support.servers.smtp import ScriptedServer


def test_upkeep_answers_sign_up_requests_and_sends_the_letters(
    database: Database, server: ScriptedServer
) -> None:
    with database.sessions.begin() as session:
        session.add(
            SignupRequest(
                email=MINJI, language=Language.EN, frequency=Frequency.DAILY, network="", received_at=NOW
            )
        )
    upkeep(database, server)
    assert recipients(server) == [MINJI]
    assert links(server, 0) == {("confirm", handle_of(database))}
    upkeep(database, server, after=HOUR)
    assert len(server.messages) == 1


def test_upkeep_resumes_pauses_that_end_today(database: Database, server: ScriptedServer) -> None:
    subscribe(database)
    until = NOW.date() + DAY
    act(database, lambda _, subscriber: accounts.pause(subscriber, NOW, until=until))
    upkeep(database, server)
    assert status_of(database) == "paused"
    upkeep(database, server, after=DAY)
    assert status_of(database) == "active"


def test_upkeep_drops_unconfirmed_sign_ups_with_everything_that_belongs_to_them(
    database: Database, server: ScriptedServer
) -> None:
    fill_in_form(database)
    send(database, server)
    fill_in_form(database, "later@example.com", after=HOUR)
    subscribe(database, "reader@example.com")
    assert upkeep(database, server, after=SIGNUP_LIFETIME).expired == 0
    assert upkeep(database, server, after=SIGNUP_LIFETIME + SECOND).expired == 1
    assert [status_of(database, to) for to in (MINJI, "later@example.com", "reader@example.com")] == [
        "unknown",
        "pending",
        "active",
    ]
    assert [to for to, *_ in outbox(database)] == ["later@example.com"]
    with database.sessions() as session:
        assert session.scalar(select(func.count(ForgottenAddress.address_hash))) == 0, (
            "they may sign up again"
        )


def test_a_former_subscriber_whose_sign_up_expires_keeps_their_cursor_without_a_farewell(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database)
    with sending_context_at(database, server) as context:
        run_digest(context, Frequency.WEEKLY, local_now=NOW, rules=RULES)
    act(database, lambda _, subscriber: accounts.unsubscribe(subscriber, NOW))
    fill_in_form(database, after=DAY)
    assert upkeep(database, server, after=WEEK).expired == 1
    assert (status_of(database), cursor_of(database)) == ("unsubscribed", 3)
    assert [kind for _, kind, _ in outbox(database)] == ["weekly", "confirmation"]
