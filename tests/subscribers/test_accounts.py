"""Accounts: what readers ask for happens, and no paper comes twice or is lost by it."""

from datetime import date, timedelta

import pytest
from making import NOW, issue_of, reader, stored_issue
from sqlalchemy import select

from core.database import Database
from subscribers.accounts import (
    NAME_LENGTH,
    SIGN_UP_EXPIRES,
    AccountError,
    change,
    confirm,
    expire_sign_ups,
    find,
    is_suppressed,
    normal_address,
    pause,
    resume,
    sign_up,
    suppress,
    unsubscribe,
)
from subscribers.links import make_token, read_token
from subscribers.models import Subscriber

LATER = NOW + timedelta(days=40)
KEY = b"a key for tests only"


# --- addresses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Minji.Kim+papers@Example.COM", "Minji.Kim+papers@example.com"),
        (" minji@example.com\n", "minji@example.com"),
        ("minji@예시.한국", "minji@xn--vv4b11d.xn--3e0b707e"),
        ("minji@XN--VV4B11D.xn--3e0b707e", "minji@xn--vv4b11d.xn--3e0b707e"),
    ],
)
def test_an_address_is_kept_as_mail_servers_take_it(written: str, kept: str) -> None:
    assert normal_address(written) == kept


@pytest.mark.parametrize("address", ["민지@example.com", "é@example.com", "민지@예시.한국"])
def test_an_address_with_letters_that_servers_refuse_is_refused_in_plain_words(address: str) -> None:
    with pytest.raises(AccountError, match="letters before the @ that mail servers refuse"):
        normal_address(address)


@pytest.mark.parametrize(
    "address",
    ["", "minji", "@example.com", "minji@", "a@b@example.com", "a b@example.com", "a\r\nBcc: b@example.com"],
)
def test_what_is_no_address_is_refused_in_one_line(address: str) -> None:
    with pytest.raises(AccountError, match="is not an address") as caught:
        normal_address(address)
    assert "\n" not in str(caught.value)


def test_one_address_is_one_reader_whatever_its_case(database: Database) -> None:
    with database.sessions() as session:
        first = reader(session, "Minji@Example.com")
        again = sign_up(session, "minji@example.COM", language="en", frequency="daily", now=NOW)
        assert again is first
        assert find(session, "MINJI@example.com") is first
        assert session.scalars(select(Subscriber)).all() == [first]


# --- signing up ---------------------------------------------------------------------


def test_nobody_is_a_reader_before_they_confirmed(database: Database) -> None:
    with database.sessions() as session:
        pending = sign_up(session, "minji@example.com", language="ko", frequency="daily", now=NOW)
        assert (pending.status, pending.confirmed_at) == ("pending", None)
        confirm(session, pending, NOW)
        assert (pending.status, pending.confirmed_at) == ("active", NOW)


def test_signing_up_again_changes_nothing_for_an_active_reader(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session, language="ko", frequency="weekly", name="김민지")
        sign_up(session, known.email, language="en", frequency="daily", name="Mallory", now=LATER)
        assert (known.language, known.frequency, known.name, known.status) == (
            "ko",
            "weekly",
            "김민지",
            "active",
        )


def test_signing_up_twice_leaves_the_link_of_the_first_mail_valid(database: Database) -> None:
    with database.sessions() as session:
        first = sign_up(session, "minji@example.com", language="ko", frequency="weekly", now=NOW)
        token = make_token(KEY, "confirm", first.handle)
        sign_up(session, "minji@example.com", language="en", frequency="daily", now=NOW)
        assert read_token(KEY, "confirm", token) == first.handle
        assert (first.language, first.frequency) == ("en", "daily")


def test_the_links_of_old_mails_still_work_for_one_who_came_back(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        handle = known.handle
        unsubscribe(known, NOW)
        assert reader(session).handle == handle


@pytest.mark.parametrize(("language", "frequency"), [("fr", "weekly"), ("ko", "hourly"), ("", "")])
def test_an_unknown_language_or_frequency_is_refused(
    database: Database, language: str, frequency: str
) -> None:
    with database.sessions() as session, pytest.raises(AccountError, match="is not one of"):
        sign_up(session, "minji@example.com", language=language, frequency=frequency, now=NOW)


def test_a_name_is_kept_short_and_without_line_breaks_or_markup(database: Database) -> None:
    with database.sessions() as session:
        named = reader(session, name='  <b>"김\r\nBcc: x\u2028민지  ' + "지" * 200)
        assert named.name.startswith("b 김 Bcc: x 민지 지")
        assert len(named.name) == NAME_LENGTH


# --- where a reader begins ----------------------------------------------------------


def test_the_first_digest_begins_with_the_latest_issue(database: Database) -> None:
    with database.sessions() as session:
        assert reader(session, "early@example.com").cursor == 0
        stored_issue(session, issue_of(3), topic_id=1)
        stored_issue(session, issue_of(4, start=date(2025, 8, 4)), topic_id=2)
        assert reader(session, "late@example.com").cursor == 3


def test_an_older_issue_that_was_stored_last_is_not_the_latest(database: Database) -> None:
    with database.sessions() as session:
        stored_issue(session, issue_of(3, start=date(2025, 8, 4)), topic_id=1)
        stored_issue(session, issue_of(3, start=date(2025, 7, 28)), topic_id=2)
        assert reader(session).cursor == 0


def test_an_issue_still_held_is_not_the_first_digest_of_a_new_reader(database: Database) -> None:
    with database.sessions() as session:
        stored_issue(session, issue_of(3), topic_id=1)
        held = stored_issue(session, issue_of(0, start=date(2025, 8, 4)), topic_id=2)
        held.revision, held.held_revision = 0, 1
        session.flush()
        assert reader(session).cursor == 0


def test_one_who_comes_back_gets_no_paper_twice_and_no_old_issue(database: Database) -> None:
    with database.sessions() as session:
        stored_issue(session, issue_of(3), topic_id=1)
        known = reader(session)
        known.cursor = 2
        unsubscribe(known, NOW)
        assert reader(session).cursor == 2
        unsubscribe(known, NOW)
        stored_issue(session, issue_of(3, start=date(2025, 8, 4)), topic_id=2)
        assert reader(session, now=LATER).cursor == 3


# --- changing, pausing, leaving -----------------------------------------------------


def test_a_change_of_language_or_frequency_keeps_what_was_read(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session, language="ko", frequency="weekly")
        known.cursor = 7
        change(session, known, language="both")
        assert (known.language, known.frequency, known.cursor) == ("both", "weekly", 7)
        change(session, known, frequency="daily")
        assert (known.language, known.frequency, known.cursor) == ("both", "daily", 7)
        with pytest.raises(AccountError):
            change(session, known, language="fr")
        assert known.language == "both"


def test_a_pause_keeps_the_papers_waiting(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        known.cursor = 5
        pause(known)
        pause(known)
        assert (known.status, known.cursor) == ("paused", 5)
        resume(known)
        resume(known)
        assert (known.status, known.cursor) == ("active", 5)


@pytest.mark.parametrize("move", [pause, resume])
def test_only_a_reader_can_pause_or_resume(database: Database, move: type) -> None:
    with database.sessions() as session:
        pending = sign_up(session, "minji@example.com", language="ko", frequency="weekly", now=NOW)
        with pytest.raises(AccountError, match="is pending"):
            move(pending)
        known = reader(session, "gone@example.com")
        unsubscribe(known, NOW)
        with pytest.raises(AccountError, match="is unsubscribed"):
            move(known)


def test_leaving_ends_at_once_and_leaving_twice_changes_nothing(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        unsubscribe(known, NOW)
        unsubscribe(known, LATER)
        assert (known.status, known.ended_at) == ("unsubscribed", NOW)


def test_an_old_confirmation_does_not_bring_back_one_who_left(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        unsubscribe(known, NOW)
        with pytest.raises(AccountError, match="sign up again"):
            confirm(session, known, LATER)
        assert known.status == "unsubscribed"


def test_confirming_twice_changes_nothing(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        known.cursor = 9
        confirm(session, known, LATER)
        assert (known.confirmed_at, known.cursor) == (NOW, 9)


# --- sign-ups that nobody confirmed -------------------------------------------------


def test_a_sign_up_that_nobody_confirms_is_forgotten_after_two_days(database: Database) -> None:
    with database.sessions() as session:
        sign_up(session, "minji@example.com", language="ko", frequency="weekly", now=NOW)
        reader(session, "active@example.com")
        assert expire_sign_ups(session, NOW + SIGN_UP_EXPIRES) == 0
        assert expire_sign_ups(session, NOW + SIGN_UP_EXPIRES + timedelta(seconds=1)) == 1
        assert session.scalars(select(Subscriber.email)).all() == ["active@example.com"]


def test_a_former_reader_who_never_confirmed_again_keeps_their_place(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        known.cursor = 6
        unsubscribe(known, NOW)
        sign_up(session, known.email, language="en", frequency="daily", now=NOW)
        assert expire_sign_ups(session, LATER) == 1
        assert (known.status, known.cursor) == ("unsubscribed", 6)


# --- addresses that must not be mailed ----------------------------------------------


def test_a_suppressed_address_ends_its_subscription_and_cannot_be_confirmed(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session, "Minji@example.com")
        suppress(session, "minji@EXAMPLE.com", "returned", NOW)
        suppress(session, "minji@example.com", "returned again", LATER)
        assert known.status == "bounced"
        assert is_suppressed(session, "MINJI@example.com")
        sign_up(session, known.email, language="ko", frequency="weekly", now=LATER)
        with pytest.raises(AccountError, match="returned or refused"):
            confirm(session, known, LATER)
        assert known.status == "pending"
