"""Accounts: what readers ask for happens, and no paper comes twice or is lost by it."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from making import NOW, issue_of, reader, stored_issue
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core.database import Database
from subscribers.accounts import (
    NAME_LENGTH,
    REASON_LENGTH,
    SIGN_UP_EXPIRES,
    AccountError,
    ask_to_move,
    by_handle,
    change,
    confirm,
    expire,
    expired_sign_ups,
    find,
    forget,
    is_forgotten,
    is_suppressed,
    move,
    normal_address,
    pause,
    resume,
    resume_due,
    revoke_links,
    sign_up,
    suppress,
    undo_unsubscribe,
    unsubscribe,
)
from subscribers.links import make_token, read_token
from subscribers.models import AccountEvent, Application, Forgotten, Subscriber

LATER = NOW + timedelta(days=40)
KEY = b"a key for tests only"
TODAY = NOW.date()


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
        token = make_token(KEY, "confirm", first.handle, NOW.date())
        sign_up(session, "minji@example.com", language="en", frequency="daily", now=NOW)
        assert read_token(KEY, "confirm", token, NOW.date()) == first.handle
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
        change(session, known, NOW, language="both")
        assert (known.language, known.frequency, known.cursor) == ("both", "weekly", 7)
        change(session, known, NOW, frequency="daily")
        assert (known.language, known.frequency, known.cursor) == ("both", "daily", 7)
        with pytest.raises(AccountError):
            change(session, known, NOW, language="fr")
        assert known.language == "both"


def test_a_pause_keeps_the_papers_waiting(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        known.cursor = 5
        pause(known, NOW)
        pause(known, NOW)
        assert (known.status, known.cursor) == ("paused", 5)
        resume(known, NOW)
        resume(known, NOW)
        assert (known.status, known.cursor) == ("active", 5)


@pytest.mark.parametrize("act", [pause, resume])
def test_only_a_reader_can_pause_or_resume(
    database: Database, act: Callable[[Subscriber, datetime], None]
) -> None:
    with database.sessions() as session:
        pending = sign_up(session, "minji@example.com", language="ko", frequency="weekly", now=NOW)
        with pytest.raises(AccountError, match="is pending"):
            act(pending, NOW)
        known = reader(session, "gone@example.com")
        unsubscribe(known, NOW)
        with pytest.raises(AccountError, match="is unsubscribed"):
            act(known, NOW)


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


# --- pauses with an end -------------------------------------------------------------


def test_a_pause_ends_on_its_day_and_not_before(database: Database) -> None:
    until = date(2025, 9, 1)
    with database.sessions() as session:
        known, longer, endless = (reader(session, f"{name}@example.com") for name in "abc")
        pause(known, NOW, until=until)
        pause(longer, NOW, until=until + timedelta(days=1))
        pause(endless, NOW)
        session.flush()
        assert resume_due(session, LATER, until - timedelta(days=1)) == 0
        assert resume_due(session, LATER, until) == 1
        assert (known.status, known.paused_until) == ("active", None)
        assert (longer.status, endless.status) == ("paused", "paused")
        session.flush()
        assert resume_due(session, LATER, until) == 0, "it is resumed once"
        assert resume_due(session, LATER, date(2099, 1, 1)) == 1, "a day that was missed is made up for"
        assert endless.status == "paused", "one without an end waits for its reader"


def test_a_pause_can_be_made_longer_and_a_new_one_forgets_the_old_end(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        pause(known, NOW, until=date(2025, 9, 1))
        pause(known, NOW, until=date(2025, 10, 1))
        assert known.paused_until == date(2025, 10, 1)
        pause(known, NOW)
        assert known.paused_until is None, "one without an end replaces one with an end"
        resume(known, NOW)
        pause(known, NOW)
        assert (known.status, known.paused_until) == ("paused", None)


def test_one_who_left_while_paused_is_not_brought_back_when_the_pause_ends(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        pause(known, NOW, until=date(2025, 9, 1))
        unsubscribe(known, NOW)
        session.flush()
        assert resume_due(session, LATER, date(2026, 1, 1)) == 0
        assert known.status == "unsubscribed"


# --- coming back --------------------------------------------------------------------


def test_one_who_left_by_mistake_goes_on_where_they_were(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session, language="both", frequency="daily")
        known.cursor, handle = 5, known.handle
        unsubscribe(known, NOW)
        undo_unsubscribe(session, known, NOW)
        assert (known.status, known.ended_at, known.confirmed_at) == ("active", None, NOW)
        assert (known.language, known.frequency, known.cursor, known.handle) == ("both", "daily", 5, handle)
        with pytest.raises(AccountError, match="nothing to take back"):
            undo_unsubscribe(session, known, NOW)


@pytest.mark.parametrize(("away", "cursor"), [(timedelta(days=30), 1), (timedelta(days=31), 8)])
def test_one_who_takes_it_back_after_a_month_begins_with_the_latest_issue(
    database: Database, away: timedelta, cursor: int
) -> None:
    with database.sessions() as session:
        known = reader(session)
        known.cursor = 1
        unsubscribe(known, NOW)
        for week in range(3):
            issue = issue_of(4, start=date(2025, 8, 4) + timedelta(weeks=week))
            stored_issue(session, issue, topic_id=week + 1)
        undo_unsubscribe(session, known, NOW + away)
        assert (known.status, known.cursor) == ("active", cursor)


def test_one_who_left_during_a_pause_and_takes_it_back_is_still_paused(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        pause(known, NOW, until=date(2025, 9, 1))
        unsubscribe(known, NOW)
        undo_unsubscribe(session, known, NOW)
        assert (known.status, known.paused_until) == ("paused", date(2025, 9, 1))


def test_nobody_becomes_a_reader_by_taking_back_what_they_never_had(database: Database) -> None:
    with database.sessions() as session:
        never = sign_up(session, "minji@example.com", language="ko", frequency="weekly", now=NOW)
        for _ in ("while pending", "after leaving"):
            with pytest.raises(AccountError, match="nothing to take back"):
                undo_unsubscribe(session, never, NOW)
            unsubscribe(never, NOW)
        assert never.status == "unsubscribed"


def test_one_whose_mail_was_returned_does_not_come_back_by_a_link(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        unsubscribe(known, NOW)
        suppress(session, known.email, "returned", NOW)
        known.status = "unsubscribed"
        with pytest.raises(AccountError, match="returned or refused"):
            undo_unsubscribe(session, known, NOW)
        assert known.status == "unsubscribed"


# --- another address ----------------------------------------------------------------


def test_a_reader_moves_when_the_new_address_says_so_and_not_before(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session, "minji@example.com")
        known.cursor, handle = 4, known.handle
        ask_to_move(session, known, " Minji@예시.한국 ", NOW)
        assert (known.email, known.new_email) == ("minji@example.com", "Minji@xn--vv4b11d.xn--3e0b707e")
        move(session, known, NOW)
        assert (known.email, known.new_email) == ("Minji@xn--vv4b11d.xn--3e0b707e", "")
        assert known.handle != handle, "links in the old mailbox end"
        assert (known.status, known.cursor) == ("active", 4)
        session.flush()
        assert find(session, "minji@예시.한국") is known
        assert find(session, "minji@example.com") is None


def test_a_link_to_move_is_good_once(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        with pytest.raises(AccountError, match="used already"):
            move(session, known, NOW)
        ask_to_move(session, known, "new@example.com", NOW)
        move(session, known, NOW)
        with pytest.raises(AccountError, match="used already"):
            move(session, known, NOW)
        assert known.email == "new@example.com"


def test_nobody_moves_to_an_address_that_has_a_subscription(database: Database) -> None:
    with database.sessions() as session:
        known, other = reader(session, "minji@example.com"), reader(session, "Jihoon@example.com")
        ask_to_move(session, known, "jihoon@EXAMPLE.com", NOW)
        with pytest.raises(AccountError, match="subscription of its own"):
            move(session, known, NOW)
        session.flush()
        assert (known.email, other.email) == ("minji@example.com", "Jihoon@example.com")


def test_an_address_can_be_written_in_another_case(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session, "minji@example.com")
        ask_to_move(session, known, "Minji@example.com", NOW)
        move(session, known, NOW)
        session.flush()
        assert known.email == "Minji@example.com"


@pytest.mark.parametrize("address", ["", "nobody", "민지@example.com"])
def test_nobody_asks_to_move_to_what_cannot_be_mailed(database: Database, address: str) -> None:
    with database.sessions() as session:
        known = reader(session)
        with pytest.raises(AccountError):
            ask_to_move(session, known, address, NOW)
        assert (known.new_email, [event.what for event in known.events]) == ("", ["signed up", "confirmed"])


# --- the record of consent ----------------------------------------------------------


def noted(subscriber: Subscriber) -> list[tuple[str, dict[str, str]]]:
    return [(event.what, event.detail) for event in subscriber.events]


def test_every_change_is_on_record_with_when_and_where_from(database: Database) -> None:
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
        ask_to_move(session, known, "new@example.com", times[8], origin="settings")
        move(session, known, times[9], origin="203.0.113.9")
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


def test_a_pause_that_ended_by_itself_says_so(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        pause(known, NOW, until=date(2025, 9, 1))
        session.flush()
        resume_due(session, LATER, date(2025, 9, 1))
        assert noted(known)[-1] == ("resumed", {"from": "the pause ended"})


def test_nothing_is_on_record_for_what_changed_nothing(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        confirm(session, known, LATER, origin="again")
        resume(known, LATER, origin="again")
        change(session, known, LATER, language="ko", frequency="weekly", origin="again")
        change(session, known, LATER, origin="again")
        sign_up(session, known.email, language="en", frequency="daily", now=LATER, origin="somebody else")
        unsubscribe(known, LATER)
        unsubscribe(known, LATER)
        assert [what for what, _ in noted(known)] == ["signed up", "confirmed", "unsubscribed"]


def test_an_address_that_cannot_be_reached_is_on_record_once(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        unsubscribe(known, NOW)
        for at in (LATER, LATER + timedelta(days=1)):
            suppress(session, known.email, "returned", at)
        assert noted(known)[-1] == ("bounced", {"before": "unsubscribed"})
        assert [what for what, _ in noted(known)].count("bounced") == 1
        assert known.ended_at == NOW, "it had ended already"


def test_a_reason_given_later_is_kept_without_leaving_twice(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        unsubscribe(known, NOW)
        unsubscribe(known, LATER, reason="<b>" + "long " * 500)
        assert known.ended_at == NOW
        what, detail = noted(known)[-1]
        assert (what, len(detail["reason"]) <= REASON_LENGTH) == ("said why", True)
        assert detail["reason"].startswith("b long long")
        assert [what for what, _ in noted(known)].count("unsubscribed") == 1


# --- links --------------------------------------------------------------------------


def test_revoking_ends_every_link_sent_so_far(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        handles = [known.handle]
        for _ in range(2):
            revoke_links(known, NOW)
            session.flush()
            handles.append(known.handle)
        assert all(old != new for old, new in pairwise(handles))
        for purpose in ("confirm", "move", "preferences", "unsubscribe", "bounce"):
            found = [
                by_handle(session, read_token(KEY, purpose, make_token(KEY, purpose, h, TODAY), TODAY))
                for h in handles
            ]
            assert found == [None, None, known]


# --- forgetting ---------------------------------------------------------------------


def everything_stored(session: Session) -> str:
    """All rows of all tables, as text."""
    tables = ("subscribers", "account_events", "applications", "forgotten", "suppressions")
    return "\n".join(str(row) for table in tables for row in session.execute(text(f"SELECT * FROM {table}")))  # noqa: S608


def test_of_one_who_is_forgotten_only_a_keyed_hash_is_left(database: Database) -> None:
    with database.sessions.begin() as session:
        known = reader(session, "Minji@example.com", name="김민지")
        ask_to_move(session, known, "minji@elsewhere.example", NOW, origin="198.51.100.7")
        reader(session, "jihoon@example.com")
        forget(session, known, KEY, NOW)
    with database.sessions() as session:
        left = everything_stored(session)
        assert not [trace for trace in ("inji", "김민지", "198.51.100.7") if trace in left]
        assert session.scalars(select(Subscriber.email)).all() == ["jihoon@example.com"]
        assert {event.subscriber_id for event in session.scalars(select(AccountEvent))} == set(
            session.scalars(select(Subscriber.id))
        )
        (kept,) = session.scalars(select(Forgotten))
        assert kept.forgotten_at == NOW
        assert len(kept.digest) == 64


def test_a_forgotten_address_is_known_again_by_whoever_has_the_key_and_by_nobody_else(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        forget(session, reader(session, "Minji@예시.한국"), KEY, NOW)
        assert is_forgotten(session, "minji@예시.한국", KEY)
        assert not is_forgotten(session, "minji@예시.한국", KEY + b"!")
        assert not is_forgotten(session, "jihoon@예시.한국", KEY)


def test_one_who_is_forgotten_can_sign_up_and_be_forgotten_again(database: Database) -> None:
    with database.sessions.begin() as session:
        forget(session, reader(session), KEY, NOW)
        again = reader(session, now=LATER)
        assert [event.at for event in again.events] == [LATER, LATER]
        forget(session, again, KEY, LATER)
        assert [row.forgotten_at for row in session.scalars(select(Forgotten))] == [LATER]


def test_forgetting_takes_with_it_what_else_names_the_address(database: Database) -> None:
    with database.sessions.begin() as session:
        known = reader(session, "Minji@example.com")
        for address in ("minji@EXAMPLE.com", "jihoon@example.com"):
            session.add(
                Application(
                    email=address, language="ko", frequency="weekly", network="198.51.100.7", received_at=NOW
                )
            )
        suppress(session, known.email, "returned: 550 <Minji@example.com> unknown", NOW)
        forget(session, known, KEY, NOW)
    with database.sessions() as session:
        assert "inji" not in everything_stored(session)
        assert session.scalars(select(Application.email)).all() == ["jihoon@example.com"]


# --- sign-ups that nobody confirmed -------------------------------------------------


def test_a_stranger_who_said_no_to_a_sign_up_is_forgotten_like_one_who_said_nothing(
    database: Database,
) -> None:
    with database.sessions() as session:
        stranger = sign_up(session, "minji@example.com", language="ko", frequency="weekly", now=NOW)
        unsubscribe(stranger, NOW)
        unsubscribe(reader(session, "left@example.com"), NOW)
        session.flush()
        assert expired_sign_ups(session, NOW + SIGN_UP_EXPIRES) == []
        assert expired_sign_ups(session, LATER) == [stranger]


def test_a_sign_up_that_nobody_confirms_is_forgotten_after_two_days(database: Database) -> None:
    with database.sessions() as session:
        pending = sign_up(session, "minji@example.com", language="ko", frequency="weekly", now=NOW)
        reader(session, "active@example.com")
        assert expired_sign_ups(session, NOW + SIGN_UP_EXPIRES) == []
        late = NOW + SIGN_UP_EXPIRES + timedelta(seconds=1)
        assert expired_sign_ups(session, late) == [pending]
        expire(session, pending, late)
        session.flush()
        assert session.scalars(select(Subscriber.email)).all() == ["active@example.com"]


def test_a_former_reader_who_never_confirmed_again_keeps_their_place(database: Database) -> None:
    with database.sessions() as session:
        known = reader(session)
        known.cursor = 6
        unsubscribe(known, NOW)
        sign_up(session, known.email, language="en", frequency="daily", now=NOW)
        assert expired_sign_ups(session, LATER) == [known]
        expire(session, known, LATER)
        assert (known.status, known.cursor) == ("unsubscribed", 6)
        assert expired_sign_ups(session, LATER) == []


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
