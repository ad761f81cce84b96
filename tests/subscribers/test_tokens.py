"""Signed links are short, valid for one purpose each, impossible to forge, and reveal nothing."""

import re
import string
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from subscribers.tokens import ExpiredTokenError, LinkPurpose, TokenError, make_token, read_token

KEY = b"a key for tests only"
TODAY = date(2025, 8, 4)
LENGTHS = {
    LinkPurpose.CONFIRM: 22,
    LinkPurpose.MOVE: 22,
    LinkPurpose.PREFERENCES: 24,
    LinkPurpose.UNSUBSCRIBE: 22,
    LinkPurpose.BOUNCE: 22,
}
CHARACTERS = string.ascii_letters + string.digits + "-_"
handles = st.binary(min_size=8, max_size=8).map(bytes.hex)
purposes = st.sampled_from(LinkPurpose)
days = st.dates(min_value=date(2020, 1, 1), max_value=date(2150, 1, 1))


@given(handles, purposes, days)
def test_a_link_leads_back_to_its_subscriber(handle: str, purpose: LinkPurpose, today: date) -> None:
    token = make_token(KEY, purpose, handle, today)
    assert re.fullmatch(rf"[A-Za-z0-9_-]{{{LENGTHS[purpose]}}}", token)
    assert read_token(KEY, purpose, token, today) == handle


@given(handles, purposes, purposes, days)
def test_a_link_is_refused_for_every_other_purpose(
    handle: str, purpose: LinkPurpose, other: LinkPurpose, today: date
) -> None:
    assume(purpose != other)
    with pytest.raises(TokenError):
        read_token(KEY, other, make_token(KEY, purpose, handle, today), today)


@given(handles, purposes, st.integers(0, 23), st.sampled_from(CHARACTERS + "+/=é\n ."))
def test_a_link_with_one_character_changed_is_refused(
    handle: str, purpose: LinkPurpose, position: int, character: str
) -> None:
    token = make_token(KEY, purpose, handle, TODAY)
    changed = token[:position] + character + token[position + 1 :]
    assume(changed != token)
    with pytest.raises(TokenError, match="not valid"):
        read_token(KEY, purpose, changed, TODAY)


@given(handles, purposes)
def test_every_other_last_character_of_a_link_is_refused(handle: str, purpose: LinkPurpose) -> None:
    token = make_token(KEY, purpose, handle, TODAY)
    for character in set(CHARACTERS) - {token[-1]}:
        with pytest.raises(TokenError):
            read_token(KEY, purpose, token[:-1] + character, TODAY)


@given(st.one_of(st.text(max_size=40), st.text(alphabet=CHARACTERS, max_size=60)), purposes)
def test_no_invented_link_is_valid(token: str, purpose: LinkPurpose) -> None:
    with pytest.raises(TokenError):
        read_token(KEY, purpose, token, TODAY)


@given(handles, purposes)
def test_links_of_another_installation_are_refused(handle: str, purpose: LinkPurpose) -> None:
    with pytest.raises(TokenError):
        read_token(KEY, purpose, make_token(KEY + b"!", purpose, handle, TODAY), TODAY)


@pytest.mark.parametrize("purpose", ["destroy", "", "Confirm"])
def test_links_are_made_for_known_purposes_only(purpose: str) -> None:
    with pytest.raises(ValueError, match="is not a valid LinkPurpose"):
        make_token(KEY, LinkPurpose(purpose), "0" * 16, TODAY)


# --- links about something that can change ------------------------------------------


@given(handles, purposes)
def test_a_link_about_an_address_is_valid_only_for_that_address(handle: str, purpose: LinkPurpose) -> None:
    token = make_token(KEY, purpose, handle, TODAY, "Minji@example.com")
    assert read_token(KEY, purpose, token, TODAY, {handle: "minji@EXAMPLE.com"}.__getitem__) == handle
    for other in ("victim@example.com", "", "minji@example.co"):
        with pytest.raises(TokenError):
            read_token(KEY, purpose, token, TODAY, {handle: other}.__getitem__)
    with pytest.raises(TokenError):
        read_token(KEY, purpose, token, TODAY)


@given(handles, purposes)
def test_a_link_does_not_reveal_what_it_is_about(handle: str, purpose: LinkPurpose) -> None:
    tokens = {make_token(KEY, purpose, handle, TODAY, about) for about in ("", "a@example.com", "b" * 200)}
    assert len(tokens) == 3
    assert {len(token) for token in tokens} == {LENGTHS[purpose]}


# --- links that expire --------------------------------------------------------------


@given(handles, st.integers(0, 30))
def test_a_preferences_link_is_valid_for_thirty_days(handle: str, age: int) -> None:
    token = make_token(KEY, LinkPurpose.PREFERENCES, handle, TODAY)
    assert read_token(KEY, LinkPurpose.PREFERENCES, token, TODAY + timedelta(days=age)) == handle


@given(handles, st.integers(31, 20_000))
def test_an_expired_preferences_link_says_so_and_names_whose_it_was(handle: str, age: int) -> None:
    token = make_token(KEY, LinkPurpose.PREFERENCES, handle, TODAY)
    with pytest.raises(ExpiredTokenError, match="too old") as caught:
        read_token(KEY, LinkPurpose.PREFERENCES, token, TODAY + timedelta(days=age))
    assert caught.value.handle == handle


@given(handles, st.sampled_from(sorted({*LinkPurpose} - {LinkPurpose.PREFERENCES})), st.integers(0, 20_000))
def test_a_link_of_any_other_purpose_never_expires(handle: str, purpose: LinkPurpose, age: int) -> None:
    token = make_token(KEY, purpose, handle, TODAY)
    assert read_token(KEY, purpose, token, TODAY + timedelta(days=age)) == handle


@given(handles, st.integers(31, 400))
def test_an_expired_link_cannot_be_given_a_newer_date(handle: str, age: int) -> None:
    """The date is in the middle of the token, and the signature covers every character of it."""
    token = make_token(KEY, LinkPurpose.PREFERENCES, handle, TODAY - timedelta(days=age))
    newer = make_token(KEY, LinkPurpose.PREFERENCES, handle, TODAY)
    mixed = token[:10] + newer[10:14] + token[14:]
    with pytest.raises(TokenError) as caught:
        read_token(KEY, LinkPurpose.PREFERENCES, mixed, TODAY)
    assert not isinstance(caught.value, ExpiredTokenError), "a forged link must not name anybody"
