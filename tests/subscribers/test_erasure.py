"""Only a keyed hash is left of a forgotten subscriber, and revoked links and unconfirmed sign-ups end."""

from datetime import timedelta
from itertools import pairwise

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from subscribers.accounts import (
    SIGNUP_LIFETIME,
    expire,
    expired_sign_ups,
    request_address_change,
    revoke_links,
    sign_up,
    unsubscribe,
)
from subscribers.erasure import forget, is_forgotten
from subscribers.links import by_handle
from subscribers.models import AccountEvent, ForgottenAddress, SignupRequest, Subscriber
from subscribers.suppression import suppress
from subscribers.tokens import LinkPurpose, make_token, read_token
from tests.support.factories import NOW, add_subscriber

LATER = NOW + timedelta(days=40)

KEY = b"a key for tests only"

TODAY = NOW.date()


# --- links --------------------------------------------------------------------------


def test_revoking_ends_every_link_sent_so_far(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        handles = [subscriber.handle]
        for _ in range(2):
            revoke_links(session, subscriber, NOW)
            session.flush()
            handles.append(subscriber.handle)
        assert all(old != new for old, new in pairwise(handles))
        for purpose in LinkPurpose:
            found = [
                by_handle(session, read_token(KEY, purpose, make_token(KEY, purpose, handle, TODAY), TODAY))
                for handle in handles
            ]
            assert found == [None, None, subscriber]


# --- forgetting ---------------------------------------------------------------------


def everything_stored(session: Session) -> str:
    """All rows of all tables, as text."""
    tables = ("subscribers", "account_events", "signup_requests", "forgotten_addresses", "suppressions")
    return "\n".join(str(row) for table in tables for row in session.execute(text(f"SELECT * FROM {table}")))  # noqa: S608


def test_only_a_keyed_hash_is_left_of_a_forgotten_subscriber(database: Database) -> None:
    with database.sessions.begin() as session:
        subscriber = add_subscriber(session, "Minji@example.com", name="김민지")
        request_address_change(session, subscriber, "minji@elsewhere.example", NOW, origin="198.51.100.7")
        add_subscriber(session, "jihoon@example.com")
        forget(session, subscriber, KEY, NOW)
    with database.sessions() as session:
        left = everything_stored(session)
        assert not [trace for trace in ("inji", "김민지", "198.51.100.7") if trace in left]
        assert session.scalars(select(Subscriber.email)).all() == ["jihoon@example.com"]
        assert {event.subscriber_id for event in session.scalars(select(AccountEvent))} == set(
            session.scalars(select(Subscriber.id))
        )
        (kept,) = session.scalars(select(ForgottenAddress))
        assert kept.forgotten_at == NOW
        assert len(kept.address_hash) == 64


def test_a_forgotten_address_is_recognised_only_with_the_key(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        forget(session, add_subscriber(session, "Minji@예시.한국"), KEY, NOW)
        assert is_forgotten(session, "minji@예시.한국", KEY)
        assert not is_forgotten(session, "minji@예시.한국", KEY + b"!")
        assert not is_forgotten(session, "jihoon@예시.한국", KEY)


def test_a_forgotten_subscriber_can_sign_up_and_be_forgotten_again(database: Database) -> None:
    with database.sessions.begin() as session:
        forget(session, add_subscriber(session), KEY, NOW)
        again = add_subscriber(session, now=LATER)
        assert [event.at for event in again.events] == [LATER, LATER]
        forget(session, again, KEY, LATER)
        assert [row.forgotten_at for row in session.scalars(select(ForgottenAddress))] == [LATER]


def test_forgetting_also_deletes_requests_and_suppressions_of_the_address(database: Database) -> None:
    with database.sessions.begin() as session:
        subscriber = add_subscriber(session, "Minji@example.com")
        for address in ("minji@EXAMPLE.com", "jihoon@example.com"):
            session.add(
                SignupRequest(
                    email=address,
                    language=Language.KO,
                    frequency=Frequency.WEEKLY,
                    network="198.51.100.7",
                    received_at=NOW,
                )
            )
        request_address_change(session, subscriber, "Minji@elsewhere.example", NOW)
        for address in (subscriber.email, subscriber.new_email):
            suppress(session, address, f"returned: 550 <{address}> unknown", NOW)
        forget(session, subscriber, KEY, NOW)
    with database.sessions() as session:
        assert "inji" not in everything_stored(session)
        assert session.scalars(select(SignupRequest.email)).all() == ["jihoon@example.com"]


# --- unconfirmed sign-ups -----------------------------------------------------------


def test_a_declined_sign_up_expires_like_an_unanswered_one(
    database: Database,
) -> None:
    with database.sessions() as session:
        declined = sign_up(
            session, "minji@example.com", language=Language.KO, frequency=Frequency.WEEKLY, now=NOW
        )
        unsubscribe(declined, NOW)
        unsubscribe(add_subscriber(session, "left@example.com"), NOW)
        session.flush()
        assert expired_sign_ups(session, NOW + SIGNUP_LIFETIME) == []
        assert expired_sign_ups(session, LATER) == [declined]


def test_an_unconfirmed_sign_up_is_erased_after_two_days(database: Database) -> None:
    with database.sessions() as session:
        pending = sign_up(
            session, "minji@example.com", language=Language.KO, frequency=Frequency.WEEKLY, now=NOW
        )
        add_subscriber(session, "active@example.com")
        assert expired_sign_ups(session, NOW + SIGNUP_LIFETIME) == []
        late = NOW + SIGNUP_LIFETIME + timedelta(seconds=1)
        assert expired_sign_ups(session, late) == [pending]
        expire(session, pending, late)
        session.flush()
        assert session.scalars(select(Subscriber.email)).all() == ["active@example.com"]


def test_a_former_subscriber_whose_new_sign_up_expires_keeps_their_cursor(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        subscriber.cursor = 6
        unsubscribe(subscriber, NOW)
        sign_up(session, subscriber.email, language=Language.EN, frequency=Frequency.DAILY, now=NOW)
        assert expired_sign_ups(session, LATER) == [subscriber]
        expire(session, subscriber, LATER)
        assert (subscriber.status, subscriber.cursor) == ("unsubscribed", 6)
        assert expired_sign_ups(session, LATER) == []
