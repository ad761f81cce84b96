"""Who is due: everybody who should be, once, grouped by what they get; the others with a reason."""

from datetime import timedelta

from core.database import Database
from subscribers.accounts import pause, sign_up, suppress, unsubscribe
from subscribers.audience import Group, due
from subscribers.models import Subscriber
from tests.support.factories import NOW, reader

LAST_WEEK = NOW - timedelta(days=7)


def test_readers_who_stand_at_one_place_and_read_one_language_share_an_edition(database: Database) -> None:
    with database.sessions() as session:
        for name, language, cursor in (
            ("a", "ko", 0),
            ("b", "ko", 0),
            ("c", "ko", 3),
            ("d", "en", 0),
            ("e", "both", 3),
        ):
            subscriber = reader(session, f"{name}@example.com", language=language)
            subscriber.cursor = cursor
        session.flush()
        audience = due(session, "weekly", since=LAST_WEEK, otherwise={})
    assert set(audience.groups) == {
        Group("ko", 0, 2),
        Group("ko", 3, 1),
        Group("en", 0, 1),
        Group("both", 3, 1),
    }
    assert audience.skipped == {}


def test_only_active_readers_of_the_frequency_are_due_and_who_left_or_pauses_is_named(
    database: Database,
) -> None:
    with database.sessions() as session:
        reader(session, "active@example.com")
        reader(session, "daily@example.com", frequency="daily")
        paused = reader(session, "paused@example.com")
        pause(paused, NOW)
        gone = reader(session, "gone@example.com")
        unsubscribe(gone, NOW)
        unsubscribe(reader(session, "gone-long-ago@example.com"), LAST_WEEK)
        sign_up(session, "pending@example.com", language="ko", frequency="weekly", now=NOW)
        session.flush()
        audience = due(session, "weekly", since=LAST_WEEK, otherwise={})
    assert audience.groups == (Group("ko", 0, 1),)
    assert audience.skipped == {"paused": 1, "unsubscribed": 1}


def test_a_candidate_who_is_left_out_has_a_reason(database: Database) -> None:
    with database.sessions() as session:
        has_mail, waits, returned = (reader(session, f"{name}@example.com").id for name in "abc")
        suppress(session, "c@example.com", "returned", NOW)
        reader(session, "other@example.com")
        restored = session.get_one(Subscriber, returned)
        restored.status = "active"  # by hand, in the table: the suppression still holds
        session.flush()
        reasons = {"has a mail": Subscriber.id == has_mail, "waits": Subscriber.id.in_((has_mail, waits))}
        audience = due(session, "weekly", since=LAST_WEEK, otherwise=reasons)
    assert audience.groups == (Group("ko", 0, 1),)
    assert audience.skipped == {"has a mail": 1, "waits": 1, "suppressed": 1}
