"""Every change of an account is recorded, with its time and origin."""

from datetime import date, timedelta

from sqlalchemy import select

from core.database import Database
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from subscribers.accounts import (
    MAX_REASON_LENGTH,
    change,
    change_address,
    confirm,
    pause,
    request_address_change,
    resume,
    resume_due,
    revoke_links,
    sign_up,
    undo_unsubscribe,
    unsubscribe,
)
from subscribers.models import Subscriber
from subscribers.suppression import suppress
from tests.support.factories import NOW, add_subscriber

LATER = NOW + timedelta(days=40)


def recorded_events(subscriber: Subscriber) -> list[tuple[str, dict[str, str]]]:
    return [(event.what, event.detail) for event in subscriber.events]


def test_a_change_of_which_nothing_more_is_known_records_nothing_more(sqlite_database: Database) -> None:
    with sqlite_database.sessions.begin() as session:
        subscriber = add_subscriber(session)
        change(session, subscriber, NOW)
        pause(subscriber, NOW)
        pause(subscriber, NOW)
        resume(subscriber, NOW)
        resume(subscriber, NOW)
        unsubscribe(subscriber, NOW)
        unsubscribe(subscriber, NOW)
        undo_unsubscribe(session, subscriber, NOW)
        request_address_change(session, subscriber, "new@example.com", NOW)
        change_address(session, subscriber, NOW)
        revoke_links(session, subscriber, NOW)
        change(session, subscriber, NOW, frequency=Frequency.DAILY)
        assert recorded_events(subscriber) == [
            ("signed up", {"language": "ko", "frequency": "weekly", "detail": "full"}),
            ("confirmed", {}),
            ("paused", {}),
            ("paused", {}),
            ("resumed", {}),
            ("unsubscribed", {"before": "active"}),
            ("came back", {}),
            ("asked to move", {}),
            ("moved", {}),
            ("links revoked", {}),
            ("changed", {"language": "ko", "frequency": "daily", "detail": "full"}),
        ]


def test_every_change_is_recorded_with_its_time_and_origin(database: Database) -> None:
    """The events are read in another session, so that what was stored is compared."""
    times = [NOW + timedelta(minutes=number) for number in range(11)]
    with database.sessions.begin() as session:
        subscriber = sign_up(
            session,
            "minji@example.com",
            language=Language.KO,
            frequency=Frequency.WEEKLY,
            now=times[0],
            origin="form",
        )
        confirm(session, subscriber, times[1], origin="198.51.100.7", wording="v1")
        change(session, subscriber, times[2], language=Language.BOTH, detail=Detail.BRIEF, origin="settings")
        pause(subscriber, times[3], until=date(2025, 9, 1), origin="settings")
        resume(subscriber, times[4], origin="settings")
        pause(subscriber, times[5], origin="settings")
        unsubscribe(subscriber, times[6], origin="one-click", reason="too  many\r\nmails")
        undo_unsubscribe(session, subscriber, times[7], origin="farewell")
        request_address_change(session, subscriber, "new@example.com", times[8], origin="settings")
        change_address(session, subscriber, times[9], origin="203.0.113.9")
        revoke_links(session, subscriber, times[10], origin="settings")
    with database.sessions() as session:
        stored = session.scalars(select(Subscriber)).one()
        assert recorded_events(stored) == [
            ("signed up", {"from": "form", "language": "ko", "frequency": "weekly", "detail": "full"}),
            ("confirmed", {"from": "198.51.100.7", "wording": "v1"}),
            (
                "changed",
                {"from": "settings", "language": "both", "frequency": "weekly", "detail": "brief"},
            ),
            ("paused", {"from": "settings", "until": "2025-09-01"}),
            ("resumed", {"from": "settings"}),
            ("paused", {"from": "settings"}),
            ("unsubscribed", {"from": "one-click", "before": "paused"}),
            ("said why", {"from": "one-click", "reason": "too many mails"}),
            ("came back", {"from": "farewell"}),
            ("asked to move", {"from": "settings"}),
            ("moved", {"from": "203.0.113.9"}),
            ("links revoked", {"from": "settings"}),
        ]
        assert [event.at for event in stored.events] == [*times[:7], times[6], *times[7:]]


def test_the_event_of_a_pause_that_ended_by_itself_says_so(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        pause(subscriber, NOW, until=date(2025, 9, 1))
        session.flush()
        resume_due(session, LATER, date(2025, 9, 1))
        assert recorded_events(subscriber)[-1] == ("resumed", {"from": "the pause ended"})


def test_a_call_that_changes_nothing_is_not_recorded(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        confirm(session, subscriber, LATER, origin="again")
        resume(subscriber, LATER, origin="again")
        change(session, subscriber, LATER, language=Language.KO, frequency=Frequency.WEEKLY, origin="again")
        change(session, subscriber, LATER, detail=Detail.FULL, origin="again")
        change(session, subscriber, LATER, origin="again")
        sign_up(
            session,
            subscriber.email,
            language=Language.EN,
            frequency=Frequency.DAILY,
            now=LATER,
            origin="somebody else",
        )
        unsubscribe(subscriber, LATER)
        unsubscribe(subscriber, LATER)
        assert [what for what, _ in recorded_events(subscriber)] == ["signed up", "confirmed", "unsubscribed"]


def test_a_bounced_address_is_recorded_once(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        unsubscribe(subscriber, NOW)
        for at in (LATER, LATER + timedelta(days=1)):
            suppress(session, subscriber.email, "returned", at)
        assert recorded_events(subscriber)[-1] == ("bounced", {"before": "unsubscribed"})
        assert [what for what, _ in recorded_events(subscriber)].count("bounced") == 1
        assert subscriber.ended_at == NOW, "the subscription had ended already"


def test_a_reason_given_later_is_recorded_without_a_second_unsubscription(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        unsubscribe(subscriber, NOW)
        unsubscribe(subscriber, LATER, reason="<b>" + "long " * 500)
        assert subscriber.ended_at == NOW
        what, detail = recorded_events(subscriber)[-1]
        assert (what, len(detail["reason"]) <= MAX_REASON_LENGTH) == ("said why", True)
        assert detail["reason"].startswith("b long long")
        assert [what for what, _ in recorded_events(subscriber)].count("unsubscribed") == 1
