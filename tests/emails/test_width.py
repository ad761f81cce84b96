"""Lines are broken and texts are shortened between words, measured in columns."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emails.rendering.width import columns, shorten, whole_words, wrap

TEXTS = st.text(alphabet=st.sampled_from("abc 가나,:-é😀"), max_size=200)
PREFIXES = st.sampled_from([("", ""), ("  * ", "    "), ("10. ", "    ")])


@pytest.mark.parametrize(
    ("text", "width"), [("", 0), ("abc", 3), ("한글", 4), ("한글 abc", 8), ("😀", 2), ("é·…", 3), ("，。", 4)]
)
def test_a_hangul_syllable_and_an_emoji_take_two_columns(text: str, width: int) -> None:
    assert columns(text) == width


@given(TEXTS, st.integers(10, 80), PREFIXES)
def test_lines_have_every_word_in_order_and_none_is_too_wide(
    text: str, width: int, prefixes: tuple[str, str]
) -> None:
    first, rest = prefixes
    lines = wrap(text, width, first, rest)
    starts = [first, *[rest] * (len(lines) - 1)]
    assert all(line.startswith(start.rstrip()) for line, start in zip(lines, starts, strict=True))
    contents = [line[len(start) :] for line, start in zip(lines, starts, strict=True)]
    assert " ".join(contents).split() == text.split()
    for line, words in zip(lines, contents, strict=True):
        assert columns(line) <= width or len(words.split()) == 1


@given(TEXTS, st.integers(10, 80))
def test_no_line_has_room_for_the_next_word(text: str, width: int) -> None:
    lines = wrap(text, width)
    for line, after in pairwise(lines):
        assert columns(f"{line} {after.split()[0]}") > width


@given(TEXTS, st.integers(20, 130))
@example("한 단어가아주길어서예순자를넘어가면" * 9, 60)
def test_a_text_is_shortened_between_words_with_an_ellipsis(text: str, width: int) -> None:
    short = shorten(text, width)
    whole = " ".join(text.split())
    assert len(short) <= width
    if len(whole) <= width:
        assert short == whole
    else:
        assert short.endswith("…")
        kept = short.removesuffix("…")
        assert whole.startswith(kept)
        rest = whole[len(kept) :]
        assert re.match(r"[ ,:;-]", rest) or " " not in whole[: width - 1].strip(" ,:;-")


@given(TEXTS, st.integers(1, 130))
def test_whole_words_fill_the_room(text: str, width: int) -> None:
    kept = whole_words(text, width, columns)
    assert columns(kept) <= width
    words = kept.removesuffix("…").split()
    rest = text.split()[len(words) :]
    assert kept.endswith("…") == bool(words)
    if rest and not set("".join(rest[:1])) & set(",:;-"):
        assert columns(" ".join([*text.split()[: len(words)], rest[0]])) + 1 > width
