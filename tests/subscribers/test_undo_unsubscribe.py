"""A subscriber who left by mistake returns to where they were."""

from datetime import date, timedelta

import pytest

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from subscribers.accounts import expire, pause, sign_up, undo_unsubscribe, unsubscribe
from subscribers.addresses import AccountError
from subscribers.status import SubscriberStatus
from subscribers.suppression import suppress
from tests.support.factories import NOW, add_issue, add_subscriber, issue_of


def test_a_subscriber_who_left_by_mistake_continues_where_they_were(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session, language="both", frequency="daily")
        subscriber.cursor, handle = 5, subscriber.handle
        unsubscribe(subscriber, NOW)
        undo_unsubscribe(session, subscriber, NOW)
        assert (subscriber.status, subscriber.ended_at, subscriber.confirmed_at) == ("active", None, NOW)
        assert (subscriber.language, subscriber.frequency, subscriber.cursor, subscriber.handle) == (
            "both",
            "daily",
            5,
            handle,
        )
        with pytest.raises(AccountError, match="nothing to take back"):
            undo_unsubscribe(session, subscriber, NOW)


@pytest.mark.parametrize(("away", "cursor"), [(timedelta(days=30), 1), (timedelta(days=31), 8)])
def test_a_subscriber_who_returns_after_a_month_begins_with_the_latest_issue(
    database: Database, away: timedelta, cursor: int
) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        subscriber.cursor = 1
        unsubscribe(subscriber, NOW)
        for week in range(3):
            issue = issue_of(4, start=date(2025, 8, 4) + timedelta(weeks=week))
            add_issue(session, issue, topic_id=week + 1)
        undo_unsubscribe(session, subscriber, NOW + away)
        assert (subscriber.status, subscriber.cursor) == ("active", cursor)


def test_a_sign_up_that_nobody_confirmed_does_not_bring_back_a_year_of_papers(database: Database) -> None:
    """Anybody can sign an address up, so the day on which its owner left must not be forgotten for it."""
    with database.sessions.begin() as session:
        subscriber = add_subscriber(session)
        subscriber.cursor = 1
        unsubscribe(subscriber, NOW)
        for week in range(3):
            issue = issue_of(4, start=date(2025, 8, 4) + timedelta(weeks=week))
            add_issue(session, issue, topic_id=week + 1)
        later = NOW + timedelta(days=365)
        sign_up(session, subscriber.email, language=Language.KO, frequency=Frequency.WEEKLY, now=later)
        expire(session, subscriber, later + timedelta(days=3))
        undo_unsubscribe(session, subscriber, later + timedelta(days=4))
        assert (subscriber.status, subscriber.cursor) == ("active", 8)


def test_a_subscriber_who_left_during_a_pause_returns_paused(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        pause(subscriber, NOW, until=date(2025, 9, 1))
        unsubscribe(subscriber, NOW)
        undo_unsubscribe(session, subscriber, NOW)
        assert (subscriber.status, subscriber.paused_until) == ("paused", date(2025, 9, 1))


def test_a_subscription_that_was_never_confirmed_cannot_be_restored(database: Database) -> None:
    with database.sessions() as session:
        pending = sign_up(
            session, "minji@example.com", language=Language.KO, frequency=Frequency.WEEKLY, now=NOW
        )
        for _ in ("while pending", "after leaving"):
            with pytest.raises(AccountError, match="nothing to take back"):
                undo_unsubscribe(session, pending, NOW)
            unsubscribe(pending, NOW)
        assert pending.status == "unsubscribed"


def test_a_subscriber_with_a_suppressed_address_cannot_return_by_a_link(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        unsubscribe(subscriber, NOW)
        suppress(session, subscriber.email, "returned", NOW)
        subscriber.status = SubscriberStatus.UNSUBSCRIBED
        with pytest.raises(AccountError, match="returned or refused"):
            undo_unsubscribe(session, subscriber, NOW)
        assert subscriber.status == "unsubscribed"
