"""A feed is text from strangers: whatever it holds, it is read within limits or refused in one line."""

import time
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issues.feed import read_feed
from issues.feed_guard import MAX_ATTRIBUTES, MAX_DEPTH, MAX_ELEMENTS
from tests.support.feeds import ITEM, TITLE, XML, answer, error_of, item, refusal, rss

BOMB = '<!DOCTYPE rss [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'


# --- document types -----------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        rss(before=BOMB),
        rss(before=f"<!-- <x -->{BOMB}"),
        rss(before=f"<?x <y?>{BOMB}"),
        rss(before=f"<?xml version='1.0'?>\n\n<!-- a --> {BOMB}"),
        rss(before='<!DOCTYPE rss SYSTEM "file:///etc/passwd">'),
        rss(before='<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://127.0.0.1/rss.dtd">'),
        rss(before='<!DOCTYPE rss [<!ENTITY % a SYSTEM "http://127.0.0.1/"> %a;]>'),
    ],
)
def test_no_document_type_gets_past_in_any_encoding(document: str) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
        assert "document type" in refusal(answer(document, XML, encoding))


def test_a_document_type_in_utf_7_is_refused() -> None:
    hidden = rss(before=BOMB).replace("<!", "+ADwAIQ-")
    refusal(answer(f'<?xml version="1.0" encoding="utf-7"?>{hidden}'))
    refusal(answer(hidden, f"{XML}; charset=utf-7"))


def test_the_words_of_a_document_type_may_stand_in_a_post() -> None:
    (post,) = read_feed(answer(item("<description><![CDATA[<!DOCTYPE html>]]></description>")))
    assert post.html == "<!DOCTYPE html>"


# --- shapes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            rss(attributes="".join(f' a{n}=""' for n in range(61))),
            f"has more than {MAX_ATTRIBUTES} attributes in an element: nothing was read",
        ),
        (rss(attributes="".join(f' a{n}=""' for n in range(100_000))), "more than 64 KB"),
        (rss(f"<a{' ' * 100_000}/>"), "more than 64 KB"),
        (rss(f"<!--{'a' * 100_000}-->"), "more than 64 KB"),
        (
            rss("<a>" * 50_000 + "</a>" * 50_000),
            f"has more than {MAX_DEPTH} nested elements: nothing was read",
        ),
        ("<a>" * 500_000, "nested"),
        (rss("<a/>" * 30_000), f"has more than {MAX_ELEMENTS} elements: nothing was read"),
        (rss(ITEM * 201), "has more than 200 items: nothing was read"),
        (item(f"<title>{'a' * 4001}</title>"), "title"),
        (item(f"<guid>{' ' * 1_000_000}</guid>"), "guid"),
        (item("<description>a<b>c</b></description>"), "inside a description"),
        (rss(f"<item><description>{'가' * 3_000_000}</description></item>"), "larger than"),
    ],
)
def test_a_feed_of_a_shape_that_no_forum_writes_is_refused(document: str, message: str) -> None:
    assert message in refusal(answer(document))


@pytest.mark.parametrize(
    "document",
    [
        rss(ITEM)[:-1],
        rss(ITEM)[:-40],
        rss("&nbsp;"),
        rss("<x:a/>"),
        rss("\x00"),
        rss("&#0;"),
        rss("\ufffe"),
        rss() + rss(),
        " " + rss(before="<?xml version='1.0'?>"),
        "<html><head><title>Just a moment...</title></head><body/></html>",
        "<html><body><br></body></html>",
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry/></feed>',
        rss(attributes=' xmlns="http://www.w3.org/1999/xhtml"'),
        "<x>" + rss() + "</x>",
        "[]",
    ],
)
def test_a_document_that_is_not_a_complete_feed_is_refused(document: str) -> None:
    refusal(answer(document))


def test_elements_of_other_vocabularies_are_passed_over() -> None:
    others = (
        '<x:title>other</x:title><author>a</author><category>b</category><content type="xhtml"><title>c</title></content>'
        '<source url="https://a.example/"><title>d</title></source><enclosure url="e"/>'
    )
    (post,) = read_feed(
        answer(rss(ITEM.replace("</item>", f"{others}</item>"), ' xmlns:x="https://a.example/"'))
    )
    assert post.title == TITLE
    assert (post.author, post.tags) == ("", ())


def test_only_the_first_of_repeated_elements_counts() -> None:
    other = ITEM.replace("/5<", "/6<")
    repeated = "".join(f"<title>{n}</title><description>{n}</description>" for n in range(2000))
    first, second = read_feed(answer(item(repeated).replace("</channel>", f"{other}</channel>")))
    assert (first.title, first.html) == ("0", "0")
    assert second.title == TITLE


def test_a_topic_that_is_in_the_feed_twice_is_one_post_in_the_state_that_comes_first() -> None:
    states = "".join(ITEM.replace(TITLE, f"{TITLE} {n}") for n in range(3))
    (post,) = read_feed(answer(rss(states)))
    assert post.title == f"{TITLE} 0"


def test_the_name_of_the_creator_is_not_taken_for_the_author() -> None:
    creator = '<dc:creator xmlns:dc="http://purl.org/dc/elements/1.1/">moderator</dc:creator>'
    (post,) = read_feed(answer(item(creator)))
    assert post.author == ""


def test_a_guid_is_the_link_only_if_it_says_so() -> None:
    link = "https://forum.example/t/a/7"
    (post,) = read_feed(answer(rss(f"<item><guid>{link}</guid></item>")))
    assert (post.topic_id, post.url) == (7, link)
    assert read_feed(answer(rss(f'<item><guid isPermaLink="false">{link}</guid></item>'))) == []


def test_a_post_arrives_as_it_was_written_between_the_marks_of_the_feed() -> None:
    html = '<p>a &amp;amp; <b title="x">b</b> ]]&gt; &lt;i&gt; 가 🔥</p>\n<p>c</p>'
    marked = html.replace("]]>", "]]]]><![CDATA[>")
    (post,) = read_feed(answer(item(f"<description><![CDATA[ {marked}\n]]></description>")))
    assert post.html == html


# --- time ---------------------------------------------------------------------------


def test_reading_stops_in_the_middle_of_a_feed_when_its_deadline_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long = item(f"<description>{'a' * 1_000_000}</description>")
    assert len(read_feed(answer(long))) == 1
    late = replace(answer(long), deadline=20.0)
    seconds = count()
    monkeypatch.setattr(time, "monotonic", lambda: float(next(seconds)))
    assert "took longer than 30 seconds" in refusal(late)
    assert next(seconds) < 30


def test_a_feed_is_refused_if_its_posts_are_ready_only_after_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = iter([0.0, 2.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    assert "took longer" in refusal(replace(answer(rss()), deadline=1.0))


def test_an_error_inside_the_feed_parser_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (
        UnicodeError("a\nb"),
        LookupError("c"),
        ValueError(),
        RecursionError("d"),
        AssertionError(),
    ):

        def parse(*_arguments: object, error: Exception = error, **_named: object) -> None:
            raise error

        monkeypatch.setattr("feedparser.parse", parse)
        assert "could not be read as a feed" in refusal(answer(rss()))


# --- anything -----------------------------------------------------------------------

FRAGMENTS = st.sampled_from(
    [
        "<rss version='2.0'>", "</rss>", "<channel>", "</channel>", "<item>", "</item>", "<title>", "</title>",
        "<link>https://forum.example/t/a/5</link>", "<guid>x-topic-5</guid>", "<description>", "</description>",
        "<![CDATA[", "]]>", "<!--", "-->", "<pubDate>Mon, 04 Aug 2025 00:00:00 GMT</pubDate>", "&amp;", "&#55296;",
        "<!DOCTYPE a>", "<?xml version='1.0' encoding='euc-kr'?>", "가", "\x00", "\ufeff", "+ADw-", " xmlns='a b'",
    ]
)  # fmt: skip


@given(
    st.lists(FRAGMENTS, max_size=30).map("".join)
    | st.lists(FRAGMENTS, max_size=10).map(lambda f: item("".join(f))),
    st.sampled_from(["utf-8", "utf-16", "utf-16-le", "cp949", "utf-7"]),
    st.sampled_from([XML, "", "text/xml; charset=euc-kr", "a; charset=utf-16", "text/html;charset=\x00"]),
)
def test_any_answer_is_read_or_refused_in_one_line(document: str, encoding: str, content_type: str) -> None:
    body = document.encode(encoding, "ignore")
    for part in (body, body[: len(body) // 2], body[1:]):
        assert error_of(answer(part, content_type)).isprintable()
