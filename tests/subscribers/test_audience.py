"""The audience of a digest: everyone who is due is counted once, by edition, and everyone else by a reason."""

from datetime import timedelta

from core.database import Database
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from subscribers.accounts import pause, sign_up, unsubscribe
from subscribers.audience import AudienceGroup, read_audience
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus
from subscribers.suppression import suppress
from tests.support.factories import NOW, add_subscriber

LAST_WEEK = NOW - timedelta(days=7)


def test_subscribers_with_the_same_cursor_language_and_detail_share_an_edition(database: Database) -> None:
    with database.sessions() as session:
        for name, language, detail, cursor in (
            ("a", "ko", "full", 0),
            ("b", "ko", "full", 0),
            ("c", "ko", "full", 3),
            ("d", "en", "full", 0),
            ("e", "both", "full", 3),
            ("f", "ko", "brief", 0),
        ):
            subscriber = add_subscriber(session, f"{name}@example.com", language=language, detail=detail)
            subscriber.cursor = cursor
        session.flush()
        audience = read_audience(session, Frequency.WEEKLY, since=LAST_WEEK, skip_reasons={})
    assert set(audience.groups) == {
        AudienceGroup(Language.KO, Detail.FULL, 0, 2),
        AudienceGroup(Language.KO, Detail.FULL, 3, 1),
        AudienceGroup(Language.KO, Detail.BRIEF, 0, 1),
        AudienceGroup(Language.EN, Detail.FULL, 0, 1),
        AudienceGroup(Language.BOTH, Detail.FULL, 3, 1),
    }
    assert audience.skipped == {}


def test_only_active_subscribers_are_due_and_others_are_counted_by_reason(
    database: Database,
) -> None:
    with database.sessions() as session:
        add_subscriber(session, "active@example.com")
        add_subscriber(session, "daily@example.com", frequency="daily")
        paused = add_subscriber(session, "paused@example.com")
        pause(paused, NOW)
        gone = add_subscriber(session, "gone@example.com")
        unsubscribe(gone, NOW)
        unsubscribe(add_subscriber(session, "gone-long-ago@example.com"), LAST_WEEK)
        sign_up(session, "pending@example.com", language=Language.KO, frequency=Frequency.WEEKLY, now=NOW)
        session.flush()
        audience = read_audience(session, Frequency.WEEKLY, since=LAST_WEEK, skip_reasons={})
    assert audience.groups == (AudienceGroup(Language.KO, Detail.FULL, 0, 1),)
    assert audience.skipped == {"paused": 1, "unsubscribed": 1}


def test_every_skipped_candidate_has_a_reason(database: Database) -> None:
    with database.sessions() as session:
        has_mail, waits, bounced = (add_subscriber(session, f"{name}@example.com").id for name in "abc")
        in_capitals = add_subscriber(session, "D@Example.com").id
        add_subscriber(session, "other@example.com")
        for address, id_ in (("c@example.com", bounced), ("d@example.com", in_capitals)):
            suppress(session, address, "returned", NOW)
            restored = session.get_one(Subscriber, id_)
            restored.status = SubscriberStatus.ACTIVE  # changed by hand in the table; the suppression stays
        session.flush()
        reasons = {"has a mail": Subscriber.id == has_mail, "waits": Subscriber.id.in_((has_mail, waits))}
        audience = read_audience(session, Frequency.WEEKLY, since=LAST_WEEK, skip_reasons=reasons)
    assert audience.groups == (AudienceGroup(Language.KO, Detail.FULL, 0, 1),)
    assert audience.skipped == {"has a mail": 1, "waits": 1, "suppressed": 2}
