"""Signed links: short, for one purpose each, not to be forged, and saying nothing readable."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.links import LinkError, make_token, read_token

KEY = b"a key for tests only"
PURPOSES = ("confirm", "preferences", "unsubscribe", "bounce")
SIGNS = string.ascii_letters + string.digits + "-_"
handles = st.binary(min_size=8, max_size=8).map(bytes.hex)
purposes = st.sampled_from(PURPOSES)


@given(handles, purposes)
def test_a_link_leads_back_to_its_reader(handle: str, purpose: str) -> None:
    token = make_token(KEY, purpose, handle)
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", token)
    assert read_token(KEY, purpose, token) == handle


@given(handles, purposes, purposes)
def test_a_link_serves_no_other_purpose(handle: str, purpose: str, other: str) -> None:
    if purpose != other:
        with pytest.raises(LinkError):
            read_token(KEY, other, make_token(KEY, purpose, handle))


@given(handles, purposes, st.integers(0, 21), st.sampled_from(SIGNS + "+/=é\n ."))
def test_a_link_with_one_sign_changed_is_refused(handle: str, purpose: str, place: int, sign: str) -> None:
    token = make_token(KEY, purpose, handle)
    if token[place] != sign:
        with pytest.raises(LinkError):
            read_token(KEY, purpose, token[:place] + sign + token[place + 1 :])


@given(handles)
def test_every_other_spelling_of_a_link_s_last_sign_is_refused(handle: str) -> None:
    token = make_token(KEY, "unsubscribe", handle)
    for sign in set(SIGNS) - {token[-1]}:
        with pytest.raises(LinkError):
            read_token(KEY, "unsubscribe", token[:-1] + sign)


@given(st.one_of(st.text(max_size=40), st.text(alphabet=SIGNS, max_size=60)), purposes)
def test_no_invented_link_is_valid(token: str, purpose: str) -> None:
    with pytest.raises(LinkError):
        read_token(KEY, purpose, token)


@given(handles)
def test_another_installation_s_links_are_refused(handle: str) -> None:
    with pytest.raises(LinkError):
        read_token(KEY, "unsubscribe", make_token(KEY + b"!", "unsubscribe", handle))


def test_links_are_made_for_known_purposes_only() -> None:
    with pytest.raises(ValueError, match="destroy"):
        make_token(KEY, "destroy", "0" * 16)
