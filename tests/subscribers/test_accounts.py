"""Accounts: what readers ask for happens, and no paper comes twice or is lost by it."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest

from core.database import Database
from subscribers.accounts import change, confirm, pause, resume, sign_up, unsubscribe
from subscribers.addresses import MAX_NAME_LENGTH, AccountError
from subscribers.models import Subscriber
from subscribers.tokens import make_token, read_token
from tests.support.factories import NOW, add_issue, add_subscriber, issue_of

LATER = NOW + timedelta(days=40)

KEY = b"a key for tests only"


# --- signing up ---------------------------------------------------------------------


def test_nobody_is_active_before_they_confirm(database: Database) -> None:
    with database.sessions() as session:
        pending = sign_up(session, "minji@example.com", language="ko", frequency="daily", now=NOW)
        assert (pending.status, pending.confirmed_at) == ("pending", None)
        confirm(session, pending, NOW)
        assert (pending.status, pending.confirmed_at) == ("active", NOW)


def test_signing_up_again_changes_nothing_for_an_active_subscriber(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session, language="ko", frequency="weekly", name="김민지")
        sign_up(session, known.email, language="en", frequency="daily", name="Mallory", now=LATER)
        assert (known.language, known.frequency, known.name, known.status) == (
            "ko",
            "weekly",
            "김민지",
            "active",
        )


def test_signing_up_twice_keeps_the_link_of_the_first_mail_valid(database: Database) -> None:
    with database.sessions() as session:
        first = sign_up(session, "minji@example.com", language="ko", frequency="weekly", now=NOW)
        token = make_token(KEY, "confirm", first.handle, NOW.date())
        sign_up(session, "minji@example.com", language="en", frequency="daily", now=NOW)
        assert read_token(KEY, "confirm", token, NOW.date()) == first.handle
        assert (first.language, first.frequency) == ("en", "daily")


def test_links_in_old_mails_still_work_for_a_returning_subscriber(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session)
        handle = known.handle
        unsubscribe(known, NOW)
        assert add_subscriber(session).handle == handle


@pytest.mark.parametrize(("language", "frequency"), [("fr", "weekly"), ("ko", "hourly"), ("", "")])
def test_an_unknown_language_or_frequency_is_refused(
    database: Database, language: str, frequency: str
) -> None:
    with database.sessions() as session, pytest.raises(AccountError, match="is not one of"):
        sign_up(session, "minji@example.com", language=language, frequency=frequency, now=NOW)


def test_a_name_is_kept_short_and_without_line_breaks_or_markup(database: Database) -> None:
    with database.sessions() as session:
        named = add_subscriber(session, name='  <b>"김\r\nBcc: x\u2028민지  ' + "지" * 200)
        assert named.name.startswith("b 김 Bcc: x 민지 지")
        assert len(named.name) == MAX_NAME_LENGTH


# --- where a reader begins ----------------------------------------------------------


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
        known = add_subscriber(session)
        known.cursor = 2
        unsubscribe(known, NOW)
        assert add_subscriber(session).cursor == 2
        unsubscribe(known, NOW)
        add_issue(session, issue_of(3, start=date(2025, 8, 4)), topic_id=2)
        assert add_subscriber(session, now=LATER).cursor == 3


# --- changing, pausing, leaving -----------------------------------------------------


def test_a_change_of_language_or_frequency_keeps_what_was_read(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session, language="ko", frequency="weekly")
        known.cursor = 7
        change(session, known, NOW, language="both")
        assert (known.language, known.frequency, known.cursor) == ("both", "weekly", 7)
        change(session, known, NOW, frequency="daily")
        assert (known.language, known.frequency, known.cursor) == ("both", "daily", 7)
        with pytest.raises(AccountError):
            change(session, known, NOW, language="fr")
        assert known.language == "both"


def test_papers_wait_for_a_subscriber_during_a_pause(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session)
        known.cursor = 5
        pause(known, NOW)
        pause(known, NOW)
        assert (known.status, known.cursor) == ("paused", 5)
        resume(known, NOW)
        resume(known, NOW)
        assert (known.status, known.cursor) == ("active", 5)


@pytest.mark.parametrize("act", [pause, resume])
def test_only_a_confirmed_subscriber_can_pause_or_resume(
    database: Database, act: Callable[[Subscriber, datetime], None]
) -> None:
    with database.sessions() as session:
        pending = sign_up(session, "minji@example.com", language="ko", frequency="weekly", now=NOW)
        with pytest.raises(AccountError, match="is pending"):
            act(pending, NOW)
        known = add_subscriber(session, "gone@example.com")
        unsubscribe(known, NOW)
        with pytest.raises(AccountError, match="is unsubscribed"):
            act(known, NOW)


def test_unsubscribing_works_at_once_and_doing_it_twice_changes_nothing(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session)
        unsubscribe(known, NOW)
        unsubscribe(known, LATER)
        assert (known.status, known.ended_at) == ("unsubscribed", NOW)


def test_an_old_confirmation_does_not_bring_back_a_subscriber_who_left(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session)
        unsubscribe(known, NOW)
        with pytest.raises(AccountError, match="sign up again"):
            confirm(session, known, LATER)
        assert known.status == "unsubscribed"


def test_confirming_twice_changes_nothing(database: Database) -> None:
    with database.sessions() as session:
        known = add_subscriber(session)
        known.cursor = 9
        confirm(session, known, LATER)
        assert (known.confirmed_at, known.cursor) == (NOW, 9)
