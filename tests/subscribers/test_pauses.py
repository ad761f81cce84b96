"""Pauses, which end on their day, and what their subscribers have missed then."""

from datetime import date, timedelta

import pytest

from core.database import Database
from subscribers.accounts import pause, resume, resume_due, skip_to_latest_issue, unsubscribe
from subscribers.models import Subscriber
from tests.support.factories import NOW, add_issue, add_subscriber, issue_of

LATER = NOW + timedelta(days=40)


def test_a_pause_ends_on_its_day_and_not_before(database: Database) -> None:
    until = date(2025, 9, 1)
    with database.sessions() as session:
        subscriber, longer, endless = (add_subscriber(session, f"{name}@example.com") for name in "abc")
        pause(subscriber, NOW, until=until)
        pause(longer, NOW, until=until + timedelta(days=1))
        pause(endless, NOW)
        session.flush()
        assert resume_due(session, LATER, until - timedelta(days=1)) == 0
        assert resume_due(session, LATER, until) == 1
        assert (subscriber.status, subscriber.paused_until) == ("active", None)
        assert (longer.status, endless.status) == ("paused", "paused")
        session.flush()
        assert resume_due(session, LATER, until) == 0, "a subscriber is resumed only once"
        assert resume_due(session, LATER, date(2099, 1, 1)) == 1, (
            "a pause whose day was missed ends on a later day"
        )
        assert endless.status == "paused", "a pause without an end waits for its subscriber"


def test_a_pause_can_be_extended_and_a_new_pause_drops_the_old_end(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        pause(subscriber, NOW, until=date(2025, 9, 1))
        pause(subscriber, NOW, until=date(2025, 10, 1))
        assert subscriber.paused_until == date(2025, 10, 1)
        pause(subscriber, NOW)
        assert subscriber.paused_until is None, "a pause without an end replaces one with an end"
        resume(subscriber, NOW)
        pause(subscriber, NOW)
        assert (subscriber.status, subscriber.paused_until) == ("paused", None)


def test_the_end_of_a_pause_does_not_bring_back_a_subscriber_who_left(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        pause(subscriber, NOW, until=date(2025, 9, 1))
        unsubscribe(subscriber, NOW)
        session.flush()
        assert resume_due(session, LATER, date(2026, 1, 1)) == 0
        assert subscriber.status == "unsubscribed"


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_leaving_out_what_was_missed_does_not_undo_a_digest_of_the_same_moment(database: Database) -> None:
    """On SQLite one of the two would wait for the other from its beginning."""
    with database.sessions.begin() as session:
        subscriber_id = add_subscriber(session).id
        add_issue(session, issue_of(2), topic_id=1)
        add_issue(session, issue_of(2, start=date(2025, 8, 4)), topic_id=2)
    with database.sessions.begin() as session:
        subscriber = session.get_one(Subscriber, subscriber_id)
        with database.sessions.begin() as digest:
            digest.get_one(Subscriber, subscriber_id).cursor = 4
        skip_to_latest_issue(session, subscriber, NOW)
    with database.sessions() as session:
        assert session.get_one(Subscriber, subscriber_id).cursor == 4
