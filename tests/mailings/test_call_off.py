"""Calling an issue off: planned mails are taken back, nobody loses another paper, and it can still be mailed after all."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from core.database import Database
from delivery.models import Delivery
from delivery.states import DeliveryState
from issues.parse.content import PaperContent
from issues.queries import find
from issues.store import StoreError
from mailings import intake
from mailings.call_off import CALLED_OFF, call_off
from mailings.held_issues import release_issue
from tests.support.account_actions import publish, subscribe
from tests.support.digests import bodies_of, digest, stopped_digest
from tests.support.factories import NOW, add_issue, issue_of, paper
from tests.support.outbox import recipients
from tests.support.posted import take, weekly_post
from tests.support.servers.smtp import ScriptedServer

DAY, WEEK = timedelta(days=1), timedelta(days=7)
OTHER: list[PaperContent] = [paper(14), paper(15)]


def states(database: Database) -> dict[str, tuple[str, str]]:
    with database.sessions() as session:
        rows = session.scalars(select(Delivery).order_by(Delivery.id)).all()
        return {row.subscriber.email: (row.state, row.reply) for row in rows}


def test_mails_that_have_not_left_are_taken_back_and_those_that_left_stay_sent(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "a@example.com")
    digest(database, server)
    subscribe(database, "b@example.com", "c@example.com")
    stopped_digest(database)
    assert call_off(database.sessions, "9001", NOW) == 2
    assert {address: state for address, (state, _) in states(database).items()} == {
        "a@example.com": DeliveryState.SENT,
        "b@example.com": DeliveryState.SKIPPED,
        "c@example.com": DeliveryState.SKIPPED,
    }
    assert states(database)["b@example.com"][1] == CALLED_OFF
    digest(database, server, after=WEEK)
    assert recipients(server) == ["a@example.com"]


@pytest.mark.parametrize(
    ("state", "repeats"),
    [(DeliveryState.UNCERTAIN, 0), (DeliveryState.PLANNED, 1), (DeliveryState.DEFERRED, 1)],
)
def test_a_mail_that_may_have_arrived_is_not_taken_back_and_not_repeated(
    database: Database, server: ScriptedServer, state: DeliveryState, repeats: int
) -> None:
    publish(database)
    subscribe(database, "a@example.com")
    stopped_digest(database)
    with database.sessions.begin() as session:
        session.execute(update(Delivery).values(state=state, repeats=repeats, due_at=NOW))
    assert call_off(database.sessions, "9001", NOW) == 0
    digest(database, server, after=WEEK)
    assert server.messages == []
    assert states(database)["a@example.com"][0] == DeliveryState.UNCERTAIN


def test_papers_of_another_issue_in_a_mail_that_is_taken_back_come_with_the_next_digest(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "a@example.com")
    with database.sessions.begin() as session:
        add_issue(session, issue_of(OTHER, start=NOW.date()), topic_id=9002, now=NOW - DAY)
    stopped_digest(database)
    assert call_off(database.sessions, "9001", NOW) == 1
    digest(database, server, after=WEEK)
    (text,) = bodies_of(server, "a@example.com")
    assert "논문의 초록입니다" in text
    assert [f"{number}번째 논문의 초록" in text for number in (1, 2, 3, 14, 15)] == [False] * 3 + [True] * 2


def test_an_issue_that_was_called_off_is_mailed_after_all_to_those_who_lack_it(
    database: Database, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "faults_of", lambda *_issues, **_rules: {})
    take(database, weekly_post(start=date(2025, 7, 28), published_at=NOW - DAY), at=NOW - DAY)
    subscribe(database, "a@example.com")
    digest(database, server)
    subscribe(database, "b@example.com")
    stopped_digest(database)
    call_off(database.sessions, "9001", NOW)
    with database.sessions.begin() as session:
        release_issue(session, find(session, "9001"), NOW + DAY)
    digest(database, server, after=WEEK)
    assert recipients(server) == ["a@example.com", "b@example.com"]


def test_a_claimed_delivery_cannot_be_sent_once_it_was_taken_back(database: Database) -> None:
    publish(database)
    subscribe(database, "a@example.com")
    stopped_digest(database)
    with database.sessions.begin() as session:
        delivery = session.scalars(select(Delivery)).one()
        delivery.state, delivery.claimed_by = DeliveryState.CLAIMED, "a sender"
    assert call_off(database.sessions, "9001", NOW) == 1
    with database.sessions() as session:
        delivery = session.scalars(select(Delivery)).one()
        assert (delivery.state, delivery.claimed_by, delivery.due_at) == (DeliveryState.SKIPPED, "", None)


def test_an_issue_that_is_not_in_force_cannot_be_called_off(database: Database) -> None:
    publish(database)
    with database.sessions.begin() as session:
        issue = find(session, "9001")
        issue.revision, issue.held_revision = 0, 1
    with pytest.raises(StoreError, match="not in force"):
        call_off(database.sessions, "9001", NOW)
    with pytest.raises(StoreError, match="there is no issue 404"):
        call_off(database.sessions, "404", NOW)
