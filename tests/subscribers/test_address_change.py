"""A subscriber who changes their address keeps everything else, and their new address has to be confirmed."""

import pytest

from core.database import Database
from subscribers.accounts import change_address, find, request_address_change
from subscribers.addresses import AccountError
from tests.support.factories import NOW, add_subscriber


def test_the_address_changes_only_when_the_new_address_is_confirmed(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session, "minji@example.com")
        subscriber.cursor, handle = 4, subscriber.handle
        request_address_change(session, subscriber, " Minji@예시.한국 ", NOW)
        assert (subscriber.email, subscriber.new_email) == (
            "minji@example.com",
            "Minji@xn--vv4b11d.xn--3e0b707e",
        )
        change_address(session, subscriber, NOW)
        assert (subscriber.email, subscriber.new_email) == ("Minji@xn--vv4b11d.xn--3e0b707e", "")
        assert subscriber.handle != handle, "links in the old mailbox must stop working"
        assert (subscriber.status, subscriber.cursor) == ("active", 4)
        session.flush()
        assert find(session, "minji@예시.한국") is subscriber
        assert find(session, "minji@example.com") is None


def test_an_address_change_can_be_confirmed_only_once(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        with pytest.raises(AccountError, match="used already"):
            change_address(session, subscriber, NOW)
        request_address_change(session, subscriber, "new@example.com", NOW)
        change_address(session, subscriber, NOW)
        with pytest.raises(AccountError, match="used already"):
            change_address(session, subscriber, NOW)
        assert subscriber.email == "new@example.com"


def test_an_address_with_its_own_subscription_cannot_be_taken_over(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session, "minji@example.com")
        other = add_subscriber(session, "Jihoon@example.com")
        request_address_change(session, subscriber, "jihoon@EXAMPLE.com", NOW)
        with pytest.raises(AccountError, match="subscription of its own"):
            change_address(session, subscriber, NOW)
        session.flush()
        assert (subscriber.email, other.email) == ("minji@example.com", "Jihoon@example.com")


def test_an_address_can_be_changed_to_another_case(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session, "minji@example.com")
        request_address_change(session, subscriber, "Minji@example.com", NOW)
        change_address(session, subscriber, NOW)
        session.flush()
        assert subscriber.email == "Minji@example.com"


@pytest.mark.parametrize("address", ["", "nobody", "민지@example.com"])
def test_a_new_address_that_cannot_be_mailed_is_refused(database: Database, address: str) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        with pytest.raises(AccountError):
            request_address_change(session, subscriber, address, NOW)
        assert (subscriber.new_email, [event.what for event in subscriber.events]) == (
            "",
            ["signed up", "confirmed"],
        )
