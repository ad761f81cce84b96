"""One who left by mistake comes back to where they were, and one who moves takes everything along."""

from datetime import date, timedelta

import pytest

from core.database import Database
from subscribers.accounts import (
    change_address,
    find,
    pause,
    request_address_change,
    sign_up,
    undo_unsubscribe,
    unsubscribe,
)
from subscribers.addresses import AccountError
from subscribers.suppression import suppress
from tests.support.factories import NOW, add_issue, add_subscriber, issue_of

# --- coming back --------------------------------------------------------------------


def test_a_subscriber_who_left_by_mistake_continues_where_they_were(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session, language="both", frequency="daily")
        known.cursor, handle = 5, known.handle
        unsubscribe(known, NOW)
        undo_unsubscribe(session, known, NOW)
        assert (known.status, known.ended_at, known.confirmed_at) == ("active", None, NOW)
        assert (known.language, known.frequency, known.cursor, known.handle) == ("both", "daily", 5, handle)
        with pytest.raises(AccountError, match="nothing to take back"):
            undo_unsubscribe(session, known, NOW)


@pytest.mark.parametrize(("away", "cursor"), [(timedelta(days=30), 1), (timedelta(days=31), 8)])
def test_a_subscriber_who_returns_after_a_month_begins_with_the_latest_issue(
    database: Database, away: timedelta, cursor: int
) -> None:
    with database.sessions() as session:
        known = add_subscriber(session)
        known.cursor = 1
        unsubscribe(known, NOW)
        for week in range(3):
            issue = issue_of(4, start=date(2025, 8, 4) + timedelta(weeks=week))
            add_issue(session, issue, topic_id=week + 1)
        undo_unsubscribe(session, known, NOW + away)
        assert (known.status, known.cursor) == ("active", cursor)


def test_a_subscriber_who_left_during_a_pause_returns_paused(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session)
        pause(known, NOW, until=date(2025, 9, 1))
        unsubscribe(known, NOW)
        undo_unsubscribe(session, known, NOW)
        assert (known.status, known.paused_until) == ("paused", date(2025, 9, 1))


def test_a_subscription_that_was_never_confirmed_cannot_be_restored(database: Database) -> None:
    with database.sessions() as session:
        never = sign_up(session, "minji@example.com", language="ko", frequency="weekly", now=NOW)
        for _ in ("while pending", "after leaving"):
            with pytest.raises(AccountError, match="nothing to take back"):
                undo_unsubscribe(session, never, NOW)
            unsubscribe(never, NOW)
        assert never.status == "unsubscribed"


def test_a_subscriber_with_a_suppressed_address_cannot_return_by_a_link(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session)
        unsubscribe(known, NOW)
        suppress(session, known.email, "returned", NOW)
        known.status = "unsubscribed"
        with pytest.raises(AccountError, match="returned or refused"):
            undo_unsubscribe(session, known, NOW)
        assert known.status == "unsubscribed"


# --- another address ----------------------------------------------------------------


def test_the_address_changes_only_when_the_new_address_is_confirmed(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session, "minji@example.com")
        known.cursor, handle = 4, known.handle
        request_address_change(session, known, " Minji@예시.한국 ", NOW)
        assert (known.email, known.new_email) == ("minji@example.com", "Minji@xn--vv4b11d.xn--3e0b707e")
        change_address(session, known, NOW)
        assert (known.email, known.new_email) == ("Minji@xn--vv4b11d.xn--3e0b707e", "")
        assert known.handle != handle, "links in the old mailbox end"
        assert (known.status, known.cursor) == ("active", 4)
        session.flush()
        assert find(session, "minji@예시.한국") is known
        assert find(session, "minji@example.com") is None


def test_an_address_change_can_be_confirmed_only_once(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session)
        with pytest.raises(AccountError, match="used already"):
            change_address(session, known, NOW)
        request_address_change(session, known, "new@example.com", NOW)
        change_address(session, known, NOW)
        with pytest.raises(AccountError, match="used already"):
            change_address(session, known, NOW)
        assert known.email == "new@example.com"


def test_an_address_with_its_own_subscription_cannot_be_taken_over(database: Database) -> None:
    with database.sessions() as session:
        known, other = (
            add_subscriber(session, "minji@example.com"),
            add_subscriber(session, "Jihoon@example.com"),
        )
        request_address_change(session, known, "jihoon@EXAMPLE.com", NOW)
        with pytest.raises(AccountError, match="subscription of its own"):
            change_address(session, known, NOW)
        session.flush()
        assert (known.email, other.email) == ("minji@example.com", "Jihoon@example.com")


def test_an_address_can_be_changed_to_another_case(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session, "minji@example.com")
        request_address_change(session, known, "Minji@example.com", NOW)
        change_address(session, known, NOW)
        session.flush()
        assert known.email == "Minji@example.com"


@pytest.mark.parametrize("address", ["", "nobody", "민지@example.com"])
def test_a_new_address_that_cannot_be_mailed_is_refused(database: Database, address: str) -> None:
    with database.sessions() as session:
        known = add_subscriber(session)
        with pytest.raises(AccountError):
            request_address_change(session, known, address, NOW)
        assert (known.new_email, [event.what for event in known.events]) == ("", ["signed up", "confirmed"])
