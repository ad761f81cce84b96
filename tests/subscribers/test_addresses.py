"""Addresses are stored in the form that mail servers accept, and suppressed addresses have no subscription."""

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from subscribers.accounts import confirm, find, sign_up
from subscribers.addresses import AccountError, normal_address
from subscribers.models import Subscriber
from subscribers.suppression import COMPLAINT, is_suppressed, may_confirm, suppress
from tests.support.factories import NOW, add_subscriber

LATER = NOW + timedelta(days=40)


# --- addresses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("Minji.Kim+papers@Example.COM", "Minji.Kim+papers@example.com"),
        (" minji@example.com\n", "minji@example.com"),
        ("minji@예시.한국", "minji@xn--vv4b11d.xn--3e0b707e"),
        ("minji@XN--VV4B11D.xn--3e0b707e", "minji@xn--vv4b11d.xn--3e0b707e"),
    ],
)
def test_an_address_is_stored_in_the_form_that_mail_servers_accept(written: str, stored: str) -> None:
    assert normal_address(written) == stored


@pytest.mark.parametrize("address", ["민지@example.com", "é@example.com", "민지@예시.한국"])
def test_an_address_with_letters_that_servers_refuse_is_refused_in_plain_words(address: str) -> None:
    with pytest.raises(AccountError, match="letters before the @ that mail servers refuse"):
        normal_address(address)


@pytest.mark.parametrize(
    "address",
    ["", "minji", "@example.com", "minji@", "a@b@example.com", "a b@example.com", "a\r\nBcc: b@example.com"],
)
def test_text_that_is_not_an_address_is_refused_in_one_line(address: str) -> None:
    with pytest.raises(AccountError, match="is not an address") as caught:
        normal_address(address)
    assert "\n" not in str(caught.value)


def test_one_address_is_one_subscriber_whatever_its_case(database: Database) -> None:
    with database.sessions() as session:
        first = add_subscriber(session, "Minji@Example.com")
        again = sign_up(
            session, "minji@example.COM", language=Language.EN, frequency=Frequency.DAILY, now=NOW
        )
        assert again is first
        assert find(session, "MINJI@example.com") is first
        assert session.scalars(select(Subscriber)).all() == [first]


# --- addresses that must not be mailed ----------------------------------------------


def test_an_address_that_complained_ends_its_subscription_and_cannot_be_confirmed(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session, "Minji@example.com")
        suppress(session, "minji@EXAMPLE.com", COMPLAINT, NOW)
        suppress(session, "minji@example.com", "returned: 5.1.1", LATER)
        assert subscriber.status == "bounced"
        assert is_suppressed(session, "MINJI@example.com")
        sign_up(session, subscriber.email, language=Language.KO, frequency=Frequency.WEEKLY, now=LATER)
        with pytest.raises(AccountError, match="reported or refused"):
            confirm(session, subscriber, LATER)
        assert subscriber.status == "pending"


def test_a_confirmation_that_arrives_lifts_the_suppression_of_an_address_that_bounced(
    database: Database,
) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session, "minji@example.com")
        suppress(session, "minji@example.com", "returned: 5.1.1", NOW)
        session.flush()
        sign_up(session, subscriber.email, language=Language.KO, frequency=Frequency.WEEKLY, now=LATER)
        confirm(session, subscriber, LATER)
        assert (subscriber.status, is_suppressed(session, "minji@example.com")) == ("active", False)


def test_an_address_that_bounces_may_be_tried_again_after_pauses_that_grow(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session, "minji@example.com")
        now, pauses = NOW, []
        for _ in range(5):
            suppress(session, subscriber.email, "returned: 5.1.1", now)
            session.flush()
            days = next(
                days
                for days in range(200)
                if may_confirm(session, subscriber.email, now + timedelta(days=days))
            )
            pauses.append(days)
            now += timedelta(days=days)
            sign_up(session, subscriber.email, language=Language.KO, frequency=Frequency.WEEKLY, now=now)
        assert pauses == [1, 4, 16, 64, 90]
        for address, reason in (("complained@example.com", COMPLAINT), ("by-hand@example.com", "by hand")):
            suppress(session, address, reason, NOW)
            assert not may_confirm(session, address, NOW + timedelta(days=10_000))
        assert may_confirm(session, "new@example.com", NOW)


def test_two_transactions_can_suppress_the_same_address_at_once(database: Database) -> None:
    def suppress_too() -> None:
        with database.sessions.begin() as session:
            suppress(session, "minji@example.com", "returned: 5.1.1", NOW)

    with ThreadPoolExecutor() as executor:
        with database.sessions.begin() as session:
            suppress(session, "minji@example.com", "complaint", NOW)
            second = executor.submit(suppress_too)
            wait([second], timeout=0.3)  # so that it looks before this transaction commits
        second.result(timeout=30)
    with database.sessions() as session:
        assert is_suppressed(session, "minji@example.com")
