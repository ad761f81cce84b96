"""Accounts change as their subscribers ask, and no change loses a paper or brings one twice."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from subscribers.accounts import change, confirm, pause, resume, sign_up, unsubscribe
from subscribers.addresses import MAX_NAME_LENGTH, AccountError
from subscribers.choices import parse_choice
from subscribers.models import Subscriber
from subscribers.tokens import LinkPurpose, make_token, read_token
from tests.support.factories import NOW, add_issue, add_subscriber, issue_of

LATER = NOW + timedelta(days=40)

KEY = b"a key for tests only"


# --- signing up ---------------------------------------------------------------------


def test_nobody_is_active_before_they_confirm(database: Database) -> None:
    with database.sessions() as session:
        pending = sign_up(
            session, "minji@example.com", language=Language.KO, frequency=Frequency.DAILY, now=NOW
        )
        assert (pending.status, pending.confirmed_at) == ("pending", None)
        confirm(session, pending, NOW)
        assert (pending.status, pending.confirmed_at) == ("active", NOW)


def test_signing_up_again_changes_nothing_for_an_active_subscriber(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session, language="ko", frequency="weekly", name="김민지")
        sign_up(
            session,
            subscriber.email,
            language=Language.EN,
            frequency=Frequency.DAILY,
            name="Mallory",
            now=LATER,
        )
        assert (subscriber.language, subscriber.frequency, subscriber.name, subscriber.status) == (
            "ko",
            "weekly",
            "김민지",
            "active",
        )


def test_signing_up_twice_keeps_the_link_of_the_first_mail_valid(database: Database) -> None:
    with database.sessions() as session:
        first = sign_up(
            session, "minji@example.com", language=Language.KO, frequency=Frequency.WEEKLY, now=NOW
        )
        token = make_token(KEY, LinkPurpose.CONFIRM, first.handle, NOW.date())
        sign_up(session, "minji@example.com", language=Language.EN, frequency=Frequency.DAILY, now=NOW)
        assert read_token(KEY, LinkPurpose.CONFIRM, token, NOW.date()) == first.handle
        assert (first.language, first.frequency) == ("en", "daily")


def test_links_in_old_mails_still_work_for_a_returning_subscriber(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        handle = subscriber.handle
        unsubscribe(subscriber, NOW)
        assert add_subscriber(session).handle == handle


@pytest.mark.parametrize(("language", "frequency"), [("fr", "weekly"), ("ko", "hourly"), ("", "")])
def test_an_unknown_language_or_frequency_is_refused(
    database: Database, language: str, frequency: str
) -> None:
    with database.sessions() as session, pytest.raises(AccountError, match="is not one of"):
        sign_up(
            session,
            "minji@example.com",
            language=parse_choice(Language, language),
            frequency=parse_choice(Frequency, frequency),
            now=NOW,
        )


def test_a_name_is_kept_short_and_without_line_breaks_or_markup(database: Database) -> None:
    with database.sessions() as session:
        named = add_subscriber(session, name='  <b>"김\r\nBcc: x\u2028민지  ' + "지" * 200)
        assert named.name.startswith("b 김 Bcc: x 민지 지")
        assert len(named.name) == MAX_NAME_LENGTH


# --- where a subscriber begins ------------------------------------------------------


def test_the_first_digest_begins_with_the_latest_issue(database: Database) -> None:
    with database.sessions() as session:
        assert add_subscriber(session, "early@example.com").cursor == 0
        add_issue(session, issue_of(3), topic_id=1)
        add_issue(session, issue_of(4, start=date(2025, 8, 4)), topic_id=2)
        assert add_subscriber(session, "late@example.com").cursor == 3


def test_an_older_issue_that_was_stored_last_is_not_the_latest(database: Database) -> None:
    with database.sessions() as session:
        add_issue(session, issue_of(3, start=date(2025, 8, 4)), topic_id=1)
        add_issue(session, issue_of(3, start=date(2025, 7, 28)), topic_id=2)
        assert add_subscriber(session).cursor == 0


def test_the_first_digest_of_a_new_subscriber_does_not_begin_with_a_held_issue(database: Database) -> None:
    with database.sessions() as session:
        add_issue(session, issue_of(3), topic_id=1)
        held = add_issue(session, issue_of(0, start=date(2025, 8, 4)), topic_id=2)
        held.revision, held.held_revision = 0, 1
        session.flush()
        assert add_subscriber(session).cursor == 0


def test_a_returning_subscriber_gets_no_paper_twice_and_no_old_issue(database: Database) -> None:
    with database.sessions() as session:
        add_issue(session, issue_of(3), topic_id=1)
        subscriber = add_subscriber(session)
        subscriber.cursor = 2
        unsubscribe(subscriber, NOW)
        assert add_subscriber(session).cursor == 2
        unsubscribe(subscriber, NOW)
        add_issue(session, issue_of(3, start=date(2025, 8, 4)), topic_id=2)
        assert add_subscriber(session, now=LATER).cursor == 3


# --- changing, pausing, leaving -----------------------------------------------------


def test_a_change_of_language_or_frequency_keeps_what_was_read(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session, language="ko", frequency="weekly")
        subscriber.cursor = 7
        change(session, subscriber, NOW, language=Language.BOTH)
        assert (subscriber.language, subscriber.frequency, subscriber.cursor) == ("both", "weekly", 7)
        change(session, subscriber, NOW, frequency=Frequency.DAILY)
        assert (subscriber.language, subscriber.frequency, subscriber.cursor) == ("both", "daily", 7)
        with pytest.raises(AccountError):
            change(session, subscriber, NOW, language=parse_choice(Language, "fr"))
        assert subscriber.language == "both"


def test_papers_wait_for_a_subscriber_during_a_pause(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        subscriber.cursor = 5
        pause(subscriber, NOW)
        pause(subscriber, NOW)
        assert (subscriber.status, subscriber.cursor) == ("paused", 5)
        resume(subscriber, NOW)
        resume(subscriber, NOW)
        assert (subscriber.status, subscriber.cursor) == ("active", 5)


@pytest.mark.parametrize("change_status", [pause, resume])
def test_only_a_confirmed_subscriber_can_pause_or_resume(
    database: Database, change_status: Callable[[Subscriber, datetime], None]
) -> None:
    with database.sessions() as session:
        pending = sign_up(
            session, "minji@example.com", language=Language.KO, frequency=Frequency.WEEKLY, now=NOW
        )
        with pytest.raises(AccountError, match="is pending"):
            change_status(pending, NOW)
        subscriber = add_subscriber(session, "gone@example.com")
        unsubscribe(subscriber, NOW)
        with pytest.raises(AccountError, match="is unsubscribed"):
            change_status(subscriber, NOW)


def test_unsubscribing_works_at_once_and_doing_it_twice_changes_nothing(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        unsubscribe(subscriber, NOW)
        unsubscribe(subscriber, LATER)
        assert (subscriber.status, subscriber.ended_at) == ("unsubscribed", NOW)


def test_an_old_confirmation_does_not_bring_back_a_subscriber_who_left(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        unsubscribe(subscriber, NOW)
        with pytest.raises(AccountError, match="sign up again"):
            confirm(session, subscriber, LATER)
        assert subscriber.status == "unsubscribed"


def test_confirming_twice_changes_nothing(database: Database) -> None:
    with database.sessions() as session:
        subscriber = add_subscriber(session)
        subscriber.cursor = 9
        confirm(session, subscriber, LATER)
        assert (subscriber.confirmed_at, subscriber.cursor) == (NOW, 9)
