"""A sign-up request is answered once a day, by the right letter, and never at a suppressed address."""

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from mailings.account_mails import answer_signup_requests
from subscribers import accounts
from subscribers.models import AccountEvent, SignupRequest, Subscriber
from subscribers.suppression import suppress
from tests.support.account_actions import (
    DAY,
    HOUR,
    MINJI,
    SECOND,
    WEEK,
    act,
    confirm,
    fill_in_form,
    handle_of,
    links,
    outbox,
    send,
    status_of,
    subscribe,
    unsubscribe,
)
from tests.support.factories import IDENTITY, NOW
from tests.support.outbox import recipients
from tests.support.servers.smtp import ScriptedServer


def test_a_sign_up_is_answered_by_one_confirmation_with_a_link(
    database: Database, server: ScriptedServer
) -> None:
    assert fill_in_form(database, language="both", frequency="daily") == ["invited"]
    assert outbox(database) == [(MINJI, "confirmation", "planned")]
    send(database, server)
    assert recipients(server) == [MINJI]
    assert links(server, 0) == {("confirm", handle_of(database))}
    assert status_of(database) == "pending"
    with database.sessions() as session:
        (signed_up,) = session.scalars(select(AccountEvent))
        choices = {"language": "both", "frequency": "daily", "detail": "full"}
        assert signed_up.detail == {"from": "198.51.100.0/24", **choices}


def test_signing_up_again_and_again_sends_one_mail_a_day(database: Database) -> None:
    assert fill_in_form(database) == ["invited"]
    for after in (SECOND, HOUR, DAY - SECOND):
        assert fill_in_form(database, "MINJI@example.com", after=after) == ["nothing"]
    assert outbox(database) == [(MINJI, "confirmation", "planned")]
    assert fill_in_form(database, after=DAY) == ["invited"]
    assert len(outbox(database)) == 2


def test_many_sign_ups_of_one_moment_are_answered_in_order(database: Database) -> None:
    with database.sessions.begin() as session:
        for address in (MINJI, "jihoon@example.com", "Minji@Example.com"):
            session.add(
                SignupRequest(
                    email=address,
                    language=Language.KO,
                    frequency=Frequency.WEEKLY,
                    network="",
                    received_at=NOW,
                )
            )
    with database.sessions.begin() as session:
        assert answer_signup_requests(session, IDENTITY, NOW) == ["invited", "invited", "nothing"]
    assert [to for to, *_ in outbox(database)] == [MINJI, "jihoon@example.com"]


@pytest.mark.parametrize("paused", [False, True])
def test_signing_up_a_subscriber_reminds_them_once_a_day_and_changes_nothing(
    database: Database, server: ScriptedServer, paused: bool
) -> None:
    subscribe(database)
    if paused:
        act(database, lambda _, subscriber: accounts.pause(subscriber, NOW, until=date(2025, 9, 1)))
    before = _state(database)
    answers = [
        fill_in_form(database, "Minji@EXAMPLE.com", language="en", frequency="daily", after=after)
        for after in (timedelta(), HOUR, DAY - SECOND, DAY)
    ]
    assert answers == [["reminded"], ["nothing"], ["nothing"], ["reminded"]]
    assert [kind for _, kind, _ in outbox(database)] == ["reminder", "reminder"]
    assert _state(database) == before
    send(database, server, after=DAY)
    assert recipients(server) == [MINJI, MINJI]
    assert links(server, 0) == {("preferences", handle_of(database))}


def _state(database: Database) -> list[object]:
    columns = [column for column in Subscriber.__table__.columns if column.key != "id"]
    with database.sessions() as session:
        return [tuple(row) for row in session.execute(select(*columns))] + [
            session.scalar(select(func.count(AccountEvent.id)))
        ]


def test_a_sign_up_of_a_suppressed_address_is_not_answered(database: Database) -> None:
    with database.sessions.begin() as session:
        suppress(session, MINJI, "complained", NOW)
    assert fill_in_form(database, "Minji@example.com") == ["nothing"]
    assert outbox(database) == []
    assert status_of(database) == "unknown"


def test_a_former_subscriber_can_come_back(database: Database) -> None:
    subscribe(database)
    unsubscribe(database)
    assert fill_in_form(database, after=WEEK) == ["invited"]
    confirm(database, after=WEEK)
    assert status_of(database) == "active"
    assert [kind for _, kind, _ in outbox(database)] == ["farewell", "confirmation", "welcome"]


def test_a_former_subscriber_can_come_back_the_same_day_with_one_letter(
    database: Database,
) -> None:
    fill_in_form(database)
    confirm(database)
    unsubscribe(database, after=HOUR)
    assert fill_in_form(database, after=2 * HOUR) == ["invited"]
    assert fill_in_form(database, after=3 * HOUR) == ["nothing"]
    confirm(database, after=3 * HOUR)
    assert status_of(database) == "active"


def test_a_request_that_cannot_be_answered_does_not_stop_the_others(database: Database) -> None:
    with database.sessions.begin() as session:
        for address in ("nobody", MINJI):
            session.add(
                SignupRequest(
                    email=address,
                    language=Language.KO,
                    frequency=Frequency.WEEKLY,
                    network="",
                    received_at=NOW,
                )
            )
    with database.sessions.begin() as session:
        assert answer_signup_requests(session, IDENTITY, NOW) == ["nothing", "invited"]
