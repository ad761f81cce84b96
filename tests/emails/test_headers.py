"""Header fields keep any text intact, and no text from outside breaks out of them."""

import base64
import re
from collections.abc import Callable
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default as modern_policy
from itertools import pairwise
from quopri import decodestring

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emails.mime.headers import address_header, clean, plain_header, text_header

ADDRESS = "reader@xn--vv4b11d.example"
ENCODED_WORD = re.compile(rb"=\?utf-8\?(?:b\?[A-Za-z0-9+/]*=*|q\?[A-Za-z0-9!*+/=-]*)\?=")
KOREAN_SUBJECT = "오늘의 논문 2편: 추론의 가지를 쳐 내는 강화학습, 그리고 프레임을 건너뛰며 보는 영상 이해"
# Characters of one to four bytes, so that words rarely end with a group of three.
MIXED_WIDTHS = st.text(alphabet=st.sampled_from("aé가😀 =?_"), min_size=30, max_size=200)
TEXTS = st.one_of(
    st.text(max_size=400),
    st.text(alphabet=st.sampled_from("가나다 abc ,.=?<>\"'()\r\n\t\0\x85\u2028\u2029😀"), max_size=400),
)


def assert_one_field(field: bytes) -> None:
    """The bytes are one header field with legal lines and encoded words."""
    assert field.endswith(b"\r\n")
    first, *folded = field.removesuffix(b"\r\n").split(b"\r\n")
    assert first.split(b":")[0] in {b"Subject", b"To"}
    assert all(line.startswith(b" ") and line.strip() for line in folded)
    for line in (first, *folded):
        assert line.isascii()
        assert not re.search(rb"[\r\n\0\x80-\xff]", line)
        assert len(line) <= 998
        if ENCODED_WORD.search(line):
            assert len(line) <= 76  # RFC 2047, 2
    assert all(len(word) <= 75 for word in ENCODED_WORD.findall(field))


def decoded_by_gmime(field: bytes) -> str:
    """The value as GMime decodes it: neighbouring base64 words are one stream, which ends at the first padding."""
    decoded, stream = b"", b""
    for encoding, payload in re.findall(rb"=\?utf-8\?([bq])\?([^?]*)\?=", field):
        if encoding == b"b":
            stream += payload
        else:
            decoded += _decoded_stream(stream) + decodestring(payload, header=True)
            stream = b""
    return (decoded + _decoded_stream(stream)).decode()


def _decoded_stream(stream: bytes) -> bytes:
    whole = re.match(rb"[^=]*={0,2}", stream)
    assert whole
    return base64.b64decode(whole[0])


def decoded_by_legacy_parser(field: bytes, name: str) -> str:
    """The value as the older API of the standard library decodes it."""
    value = message_from_bytes(field + b"\r\n")[name]
    return str(make_header(decode_header(re.sub(r"\r\n ", " ", value))))


@given(TEXTS)
@example(KOREAN_SUBJECT)
@example("=?utf-8?q?not_really?=")
@example("word " * 60)
@example("two  spaces")
@example("")
def test_any_subject_is_decoded_as_it_was_written(value: str) -> None:
    field = text_header("Subject", value)
    assert_one_field(field)
    assert message_from_bytes(field + b"\r\n", policy=modern_policy)["Subject"] == clean(value)
    assert decoded_by_legacy_parser(field, "Subject") == clean(value)


@given(st.one_of(TEXTS, MIXED_WIDTHS))
@example(KOREAN_SUBJECT)
@example("구독을 환영합니다 · 2/23~3/1 논문 3편: 모래시계")
@example("a" + "가" * 60)
@example("é가" * 40)
def test_no_program_cuts_a_subject_at_the_padding_of_a_word(value: str) -> None:
    """GMime does, which Geary, Balsa, notmuch and mu use."""
    field = text_header("Subject", value)
    assert_one_field(field)
    words = ENCODED_WORD.findall(field)
    if words:
        assert decoded_by_gmime(field) == clean(value)
    for word, following in pairwise(words):
        is_before_base64 = following.startswith(b"=?utf-8?b?")
        assert not (word.startswith(b"=?utf-8?b?") and word.endswith(b"=?=") and is_before_base64)


def test_a_long_korean_subject_takes_no_more_lines_than_before() -> None:
    field = text_header("Subject", KOREAN_SUBJECT)
    assert (field.count(b"?b?"), field.count(b"?q?")) == (3, 0)


@given(TEXTS)
@example("김민지, 논문팀")
@example('Alice "Ally" O\'Neil <a@b.example>')
@example("=?utf-8?q?not_really?=")
@example("two  spaces")
@example("x\r\nBcc: everyone@example.com")
def test_any_name_is_decoded_as_it_was_written_and_the_address_stays_plain(value: str) -> None:
    field = address_header("To", value, ADDRESS)
    assert_one_field(field)
    (parsed,) = message_from_bytes(field + b"\r\n", policy=modern_policy)["To"].addresses
    assert parsed.addr_spec == ADDRESS
    assert "".join(parsed.display_name.split()) == "".join(clean(value).split())  # the parser moves spaces
    assert decoded_by_legacy_parser(field, "To").removesuffix(f"<{ADDRESS}>").strip(" ") in {
        clean(value),
        ADDRESS,
    }
    assert ADDRESS.encode() in field


@given(st.text(max_size=60), st.sampled_from("\r\n\0\x85\u2028\u2029\x0b\x1f"), st.text(max_size=60))
def test_no_line_break_or_control_character_reaches_a_header(before: str, control: str, after: str) -> None:
    value = f"{before}{control}{after}"
    for field in (text_header("Subject", value), address_header("To", value, ADDRESS)):
        assert_one_field(field)
        decoded = str(message_from_bytes(field + b"\r\n", policy=modern_policy).values()[0])
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", decoded)


def test_a_short_english_subject_is_not_encoded() -> None:
    assert text_header("Subject", "Today's 2 papers: Gardener") == b"Subject: Today's 2 papers: Gardener\r\n"


@pytest.mark.parametrize("value", ["독자@example.com", "a\r\nBcc: b", "a\u2028b", "a\0", "é"])
@pytest.mark.parametrize(
    "write",
    [
        lambda value: plain_header("List-Help", value),
        lambda value: plain_header("List-Help", "<https://a.example>,", value),
        lambda value: address_header("To", "", value),
        lambda value: address_header("To", "name", value),
    ],
)
def test_a_structured_field_rejects_what_is_not_printable_ascii(
    write: Callable[[str], bytes], value: str
) -> None:
    with pytest.raises(ValueError, match="cannot be written in a header"):
        write(value)


def test_a_structured_field_of_more_than_998_octets_is_rejected() -> None:
    longest = "x" * (998 - len("List-Help: "))
    assert max(map(len, plain_header("List-Help", longest).split(b"\r\n"))) == 998
    with pytest.raises(ValueError, match="List-Help"):
        plain_header("List-Help", longest + "x")
