"""A new subscriber is welcomed once, at once and with the latest issue, and the wording of the consent is recorded."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from emails.rendering.i18n import translate
from mailings import account_mails
from mailings.digest_run import run_digest
from subscribers import accounts
from subscribers.accounts import SIGNUP_LIFETIME
from subscribers.addresses import AccountError
from subscribers.models import AccountEvent
from tests.support.account_actions import (
    DAY,
    HOUR,
    MINJI,
    SECOND,
    WEEK,
    act,
    bodies,
    confirm,
    cursor_of,
    fill_in_form,
    handle_of,
    links,
    outbox,
    publish,
    send,
    status_of,
    subscribe,
)
from tests.support.factories import IDENTITY, NOW, RULES, add_issue, issue_of, sending_context_at
from tests.support.lock_waits import wait_for_a_waiting_transaction
from tests.support.outbox import recipients
from tests.support.servers.smtp import ScriptedServer


@pytest.mark.parametrize(("frequency", "count"), [("weekly", 5), ("daily", 2)])
def test_a_new_subscriber_gets_the_latest_issue_at_once_and_then_the_next_papers(
    database: Database, server: ScriptedServer, frequency: str, count: int
) -> None:
    publish(database, 5)
    fill_in_form(database, frequency=frequency)
    send(database, server)
    confirm(database, after=HOUR)
    assert cursor_of(database) == count
    send(database, server, after=HOUR)
    assert recipients(server) == [MINJI, MINJI]
    text, _ = bodies(server, 1)
    assert _papers(text) == list(range(1, count + 1))
    assert links(server, 1) == {(purpose, handle_of(database)) for purpose in ("preferences", "unsubscribe")}
    for after in (DAY, WEEK + DAY):
        with sending_context_at(database, server, NOW + after) as context:
            run_digest(context, Frequency(frequency), local_now=NOW + after, rules=RULES)
    later_papers = [
        number for index in range(2, len(server.messages)) for number in _papers(bodies(server, index)[0])
    ]
    assert later_papers == ([] if frequency == "weekly" else [3, 4, 5])


def _papers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"^(\d+)번째 논문의 초록입니다\.", text, re.MULTILINE)]


def test_the_heading_of_a_welcome_digest_says_welcome(database: Database, server: ScriptedServer) -> None:
    publish(database)
    fill_in_form(database)
    confirm(database)
    subscribe(database, "old@example.com")
    send(database, server)
    with sending_context_at(database, server) as context:
        run_digest(context, Frequency.WEEKLY, local_now=NOW, rules=RULES)
    assert recipients(server) == [MINJI, "old@example.com"]
    (welcome, _), (ordinary, _) = bodies(server, 0), bodies(server, 1)
    assert _papers(welcome) == _papers(ordinary) == [1, 2, 3]
    assert translate(Language.KO, "occasion_welcome", name="Paperboy") in welcome
    assert translate(Language.KO, "occasion_welcome", name="Paperboy") not in ordinary


@pytest.mark.parametrize("why", ["nothing was ever published", "the issue is not quiet yet"])
def test_a_new_subscriber_gets_a_letter_if_no_papers_are_ready_and_the_papers_later(
    database: Database, server: ScriptedServer, why: str
) -> None:
    if why == "the issue is not quiet yet":
        with database.sessions.begin() as session:
            add_issue(session, issue_of(3), now=NOW)
    fill_in_form(database)
    confirm(database)
    assert outbox(database)[1:] == [(MINJI, "welcome", "planned")]
    assert cursor_of(database) == 0
    send(database, server)
    assert links(server, 0) == {("preferences", handle_of(database))}
    if why == "nothing was ever published":
        publish(database)
    with sending_context_at(database, server, NOW + WEEK) as context:
        assert run_digest(context, Frequency.WEEKLY, local_now=NOW + WEEK, rules=RULES).sent == 1
    assert _papers(bodies(server, -1)[0]) == [1, 2, 3]


def test_a_subscriber_who_confirms_twice_is_welcomed_once(database: Database) -> None:
    publish(database)
    fill_in_form(database)
    for after in (HOUR, HOUR + SECOND, DAY):
        confirm(database, after=after)
    assert [kind for _, kind, _ in outbox(database)] == ["confirmation", "welcome"]
    with database.sessions() as session:
        events = session.scalars(select(AccountEvent.what).order_by(AccountEvent.id)).all()
    assert events == ["signed up", "confirmed"]


def test_the_record_of_consent_identifies_the_wording(database: Database) -> None:
    for address, language in ((MINJI, "ko"), ("a@example.com", "ko"), ("b@example.com", "en")):
        fill_in_form(database, address, language=language)
        confirm(database, address)
    with database.sessions() as session:
        rows = select(AccountEvent).where(AccountEvent.what == "confirmed").order_by(AccountEvent.id)
        details = [event.detail for event in session.scalars(rows)]
    assert {detail["from"] for detail in details} == {"198.51.100.7"}
    minji, a, b = (detail["wording"] for detail in details)
    assert minji == a != b


def test_a_confirmation_is_valid_for_two_days(database: Database) -> None:
    fill_in_form(database)
    fill_in_form(database, "slow@example.com")
    confirm(database, after=SIGNUP_LIFETIME)
    with pytest.raises(AccountError, match="sign up again"):
        confirm(database, "slow@example.com", after=SIGNUP_LIFETIME + SECOND)
    assert (status_of(database), status_of(database, "slow@example.com")) == ("active", "pending")


def test_a_welcome_digest_to_a_subscriber_who_pauses_waits_with_its_papers(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    fill_in_form(database)
    confirm(database)
    act(database, lambda _, subscriber: accounts.pause(subscriber, NOW))
    send(database, server)
    assert server.messages == []
    assert cursor_of(database) == 0
    act(database, lambda _, subscriber: accounts.resume(subscriber, NOW))
    with sending_context_at(database, server, NOW + WEEK) as context:
        assert run_digest(context, Frequency.WEEKLY, local_now=NOW + WEEK, rules=RULES).sent == 1
    assert _papers(bodies(server, 0)[0]) == [1, 2, 3]


def test_two_clicks_at_once_confirm_once_and_no_paper_comes_again(database: Database) -> None:
    publish(database, 3)
    with database.sessions.begin() as session:
        add_issue(session, issue_of(2, start=NOW.date()), topic_id=9002, now=NOW)
    fill_in_form(database)
    with ThreadPoolExecutor(1) as pool:
        with database.sessions.begin() as session:
            subscriber = accounts.find(session, MINJI)
            assert subscriber
            account_mails.confirm(session, subscriber, IDENTITY, RULES, NOW + HOUR, origin="")
            second = pool.submit(confirm, database, after=HOUR + SECOND)
            wait_for_a_waiting_transaction(database)
        second.result(10)
    assert cursor_of(database) == 5
