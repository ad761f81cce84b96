"""A lifted suppression lets a subscription go on as it was, except after a complaint."""

from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from core.database import Database
from subscribers.accounts import pause, sign_up, unsubscribe
from subscribers.addresses import AccountError
from subscribers.models import Subscriber
from subscribers.suppression import COMPLAINT, is_suppressed, suppress, unsuppress
from tests.support.factories import NOW, add_issue, add_subscriber, issue_of

ADDRESS = "minji@example.com"
LATER = NOW + timedelta(days=3)


def with_status(session: Session, status: str) -> Subscriber:
    subscriber = add_subscriber(session, address=ADDRESS)
    if status == "paused":
        pause(subscriber, NOW, until=date(2025, 9, 1))
    if status == "unsubscribed":
        unsubscribe(subscriber, NOW)
    if status == "pending":
        unsubscribe(subscriber, NOW)
        sign_up(session, ADDRESS, language=subscriber.language, frequency=subscriber.frequency, now=NOW)
    assert subscriber.status == status
    return subscriber


@pytest.mark.parametrize("status", ["active", "paused", "unsubscribed", "pending"])
def test_a_subscription_goes_on_as_it_was_before_the_suppression(database: Database, status: str) -> None:
    with database.sessions() as session:
        subscriber = with_status(session, status)
        subscriber.cursor, ended_at = 5, subscriber.ended_at
        suppress(session, ADDRESS, "returned", NOW)
        assert unsuppress(session, "MINJI@example.com", LATER, origin="by hand") is subscriber
        assert not is_suppressed(session, ADDRESS)
        assert (subscriber.status, subscriber.cursor, subscriber.ended_at) == (status, 5, ended_at)
        last = subscriber.events[-1]
        assert (last.what, last.detail) == ("suppression lifted", {"from": "by hand", "status": status})


def test_whoever_complained_is_not_mailed_before_they_sign_up_again(database: Database) -> None:
    with database.sessions() as session:
        subscriber = with_status(session, "active")
        suppress(session, ADDRESS, COMPLAINT, NOW)
        unsuppress(session, ADDRESS, LATER)
        assert (subscriber.status, subscriber.ended_at) == ("unsubscribed", NOW)


def test_after_a_month_of_suppression_only_the_latest_issue_is_unread(database: Database) -> None:
    with database.sessions() as session:
        subscriber = with_status(session, "active")
        suppress(session, ADDRESS, "returned", NOW)
        for week in range(3):
            issue = issue_of(4, start=date(2025, 8, 4) + timedelta(weeks=week))
            add_issue(session, issue, topic_id=week + 1)
        unsuppress(session, ADDRESS, NOW + timedelta(days=31))
        assert subscriber.cursor == 8


def test_only_a_suppressed_address_can_be_lifted_with_or_without_a_subscriber(database: Database) -> None:
    with database.sessions() as session:
        suppress(session, "nobody@example.com", "by hand", NOW)
        assert unsuppress(session, "nobody@example.com", LATER) is None
        with pytest.raises(AccountError, match="is not suppressed"):
            unsuppress(session, "nobody@example.com", LATER)
