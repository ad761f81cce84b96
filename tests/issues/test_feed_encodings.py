"""A feed is read in the encodings that forums use, and refused in any other."""

import pytest

from issues.feed import read_feed
from tests.support.feeds import TITLE, XML, answer, item, refusal, rss


@pytest.mark.parametrize(
    ("encoding", "content_type", "declared"),
    [
        ("utf-8", XML, ""),
        ("utf-8", "", "UTF-8"),
        ("utf-8-sig", XML, ""),
        ("utf-8-sig", f"{XML}; charset=iso-8859-1", "EUC-KR"),
        ("utf-8", f"{XML}; charset=us-ascii", "utf-8"),
        ("utf-16", XML, "UTF-16"),
        ("utf-16-be", XML, ""),
        ("utf-16-le", f"{XML}; charset=utf-8", "utf-8"),
        ("euc-kr", XML, "euc-kr"),
        ("euc-kr", 'text/xml; charset="EUC-KR"', ""),
        ("cp949", f"{XML};charset=euc-kr", "UTF-8"),
        ("cp949", XML, "ks_c_5601-1987"),
    ],
)
def test_a_feed_in_a_known_encoding_is_read_whichever_way_it_says_so(
    encoding: str, content_type: str, declared: str
) -> None:
    before = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    (post,) = read_feed(answer(rss(before=before), content_type, encoding))
    assert post.title == TITLE


def test_letters_of_western_encodings_are_read() -> None:
    for encoding, word in (("iso-8859-1", "é½"), ("iso-8859-15", "é€"), ("windows-1252", "é€“”")):
        before = f"<?xml version='1.0' encoding='{encoding}'?>"
        (post,) = read_feed(answer(item(f"<title>{word}</title>").join([before, ""]), XML, encoding))
        assert post.title == word


@pytest.mark.parametrize(
    "name",
    [
        "punycode",
        "undefined",
        "utf-7",
        "idna",
        "unicode_escape",
        "rot13",
        "zlib",
        "utf-32",
        "cp037",
        "x\\ny",
        "가",
    ],
)
def test_any_other_encoding_is_refused_wherever_it_is_named(name: str) -> None:
    assert "encoding" in refusal(answer(rss(before=f'<?xml version="1.0" encoding="{name}"?>')))
    assert "encoding" in refusal(answer(rss(), f"{XML}; charset={name}"))


@pytest.mark.parametrize(
    "body",
    [
        b"<rss version='2.0'><channel>\xff\xfe</channel></rss>",
        b"\xff\xfe<\x00r",
        b"\xff\xfe\x00\xd8",
        b"\xfe\xff\xd8\x00",
        b"\x4c\x6f\xa7\x94",
        b"\xef\xbb\xbf\xef\xbb\xbf<rss/>",
        b"<rss version='2.0'><channel>\xed\xa0\x80</channel></rss>",
    ],
)
def test_bytes_that_do_not_fit_their_encoding_are_refused(body: bytes) -> None:
    refusal(answer(body))
