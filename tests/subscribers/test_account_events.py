"""Every change of an account is on record, with when and where from."""

from datetime import date, timedelta

from sqlalchemy import select

from core.database import Database
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


def noted(subscriber: Subscriber) -> list[tuple[str, dict[str, str]]]:
    return [(event.what, event.detail) for event in subscriber.events]


def test_every_change_is_recorded_with_its_time_and_origin(database: Database) -> None:
    """Read back in a session of its own: what counts is what was stored."""
    times = [NOW + timedelta(minutes=number) for number in range(11)]
    with database.sessions.begin() as session:
        known = sign_up(
            session, "minji@example.com", language="ko", frequency="weekly", now=times[0], origin="form"
        )
        confirm(session, known, times[1], origin="198.51.100.7", wording="v1")
        change(session, known, times[2], language="both", origin="settings")
        pause(known, times[3], until=date(2025, 9, 1), origin="settings")
        resume(known, times[4], origin="settings")
        pause(known, times[5], origin="settings")
        unsubscribe(known, times[6], origin="one-click", reason="too  many\r\nmails")
        undo_unsubscribe(session, known, times[7], origin="farewell")
        request_address_change(session, known, "new@example.com", times[8], origin="settings")
        change_address(session, known, times[9], origin="203.0.113.9")
        revoke_links(known, times[10], origin="settings")
    with database.sessions() as session:
        kept = session.scalars(select(Subscriber)).one()
        assert noted(kept) == [
            ("signed up", {"from": "form", "language": "ko", "frequency": "weekly"}),
            ("confirmed", {"from": "198.51.100.7", "wording": "v1"}),
            ("changed", {"from": "settings", "language": "both", "frequency": "weekly"}),
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
        assert [event.at for event in kept.events] == [*times[:7], times[6], *times[7:]]


def test_the_event_of_a_pause_that_ended_by_itself_says_so(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session)
        pause(known, NOW, until=date(2025, 9, 1))
        session.flush()
        resume_due(session, LATER, date(2025, 9, 1))
        assert noted(known)[-1] == ("resumed", {"from": "the pause ended"})


def test_a_call_that_changes_nothing_is_not_recorded(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session)
        confirm(session, known, LATER, origin="again")
        resume(known, LATER, origin="again")
        change(session, known, LATER, language="ko", frequency="weekly", origin="again")
        change(session, known, LATER, origin="again")
        sign_up(session, known.email, language="en", frequency="daily", now=LATER, origin="somebody else")
        unsubscribe(known, LATER)
        unsubscribe(known, LATER)
        assert [what for what, _ in noted(known)] == ["signed up", "confirmed", "unsubscribed"]


def test_a_bounced_address_is_recorded_once(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session)
        unsubscribe(known, NOW)
        for at in (LATER, LATER + timedelta(days=1)):
            suppress(session, known.email, "returned", at)
        assert noted(known)[-1] == ("bounced", {"before": "unsubscribed"})
        assert [what for what, _ in noted(known)].count("bounced") == 1
        assert known.ended_at == NOW, "it had ended already"


def test_a_reason_given_later_is_recorded_without_a_second_unsubscription(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session)
        unsubscribe(known, NOW)
        unsubscribe(known, LATER, reason="<b>" + "long " * 500)
        assert known.ended_at == NOW
        what, detail = noted(known)[-1]
        assert (what, len(detail["reason"]) <= MAX_REASON_LENGTH) == ("said why", True)
        assert detail["reason"].startswith("b long long")
        assert [what for what, _ in noted(known)].count("unsubscribed") == 1
