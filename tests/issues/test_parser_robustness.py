"""Whatever HTML a post has, parsing it is quick, raises no error, and gives the texts that were written."""

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issues.parse.post import parse
from issues.parse.text import has_hangul
from paperboy.demo.sample.cook import cook_week
from paperboy.demo.sample.data import SamplePaper, SampleWeek, weeks
from tests.support.parsed_posts import parsed_paper
from tests.support.post_html import TITLE, URL, heading, paper_html, post_html

# --- hostile HTML -------------------------------------------------------------------


# Of this thread's processor time, which does not pass while the machine is busy with something else. The slowest post
# takes a tenth of it; it would take minutes if the time grew with the square of the length.
MAX_SECONDS = 20
PAPER_START = heading("올빼미 / Owl", 2) + heading("논문 소개") + "<p>글</p>" + heading("논문 링크")


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 100_000,
        "<div>" * 98 + "<span>" * 98 + "글",
        "<blockquote>" * 90 + "<b>" * 90 + "글",
        "<p>글</p>" * 200_000,
        "글" * 1_000_000,
        PAPER_START + "<h2>x</h2>" * 8_000,
        PAPER_START + "<p>x</p>" * 8_000,
        PAPER_START + "<p>" + "GPT 파이토치 한국 사용자 모임 좋아요 " * 8_000,
        PAPER_START + '<p><a href="https://arxiv.org:99999/">x</a> https://[x https://a:b https://a.b:99999/',
        "<p>" + "<b>**</b>x" * 5_000,
        "<div>" + "".join(f"<b id={n}>" for n in range(90)) + "</div>" + "<div>x</div>" * 4_000,
        "<p>" + " \n\t" * 150_000,
        "\x00\x01\ud800\u202e<p>\x08글&#0;&#xD800;&#x1F;</p>",
        "<a href='http://[::1'>x</a><aside class=onebox><a href='//'></a></aside><img class=emoji title=::>",
        "<h2></h2><table><tr></tr></table><ul></ul><aside class=quote></aside><",
        "",
    ],
    ids=range(16),
)
def test_hostile_html_is_parsed_quickly_and_without_an_error(html: str) -> None:
    started_at = time.thread_time()
    content = parse(TITLE, html, URL)
    assert time.thread_time() - started_at < MAX_SECONDS
    assert content.problems


def test_scripts_bad_links_and_control_characters_are_removed() -> None:
    intro = (
        '<p>안전한 <a href="javascript:alert(1)" onclick="x()">글</a><script>alert(1)</script>'
        '<a href=" JaVaScRiPt:x">과</a> <a href="data:text/html,x">말</a>\x07\u202e\u200b.</p>'
    )
    block = parsed_paper(paper_html(intro=intro)).intro_ko[0]
    assert (block.text, block.links) == ("안전한 글과 말.", ())


@pytest.mark.parametrize("address", ["https://arxiv.org@evil.example/abs/1", "https://a:b@evil.example/"])
def test_an_address_that_looks_like_that_of_another_host_is_no_address(address: str) -> None:
    block = parsed_paper(paper_html(intro=f'<p>소개 <a href="{address}">글</a>.</p>')).intro_ko[0]
    assert (block.text, block.links) == ("소개 글.", ())


def test_a_long_title_is_not_compared_anew_with_every_block() -> None:
    started_at = time.thread_time()
    content = parse(TITLE + "👩\u200d" * 1900, post_html(paper_html(intro="<p>글</p>" * 20_000)), URL)
    assert time.thread_time() - started_at < MAX_SECONDS
    assert len(content.papers[0].intro_ko) == 20_000


# --- any week -----------------------------------------------------------------------


_KOREAN = st.text("가나다라마바사아자차카타파하", min_size=2, max_size=12)
_ENGLISH = st.text("abcdefghijklmnop", min_size=3, max_size=12)
_SENTENCE_ENDINGS = st.sampled_from(["", ".", ":", "?", " & 1 < 2", " 'x'", ' "y"', "; 50%"])


@st.composite
def _texts(draw: st.DrawFn, words: st.SearchStrategy[str], items: bool) -> tuple[str, ...]:
    lines = draw(st.lists(st.tuples(words, words, _SENTENCE_ENDINGS), min_size=1, max_size=4))
    item_markers = st.sampled_from(["", "- "] if items else [""])
    return tuple(f"{draw(item_markers)}{one} {two}{ending}" for one, two, ending in lines)


@st.composite
def _papers(draw: st.DrawFn) -> tuple[SamplePaper, ...]:
    names = draw(st.lists(_ENGLISH, min_size=1, max_size=4, unique=True))
    return tuple(
        SamplePaper(
            title_ko=draw(_KOREAN),
            title_en=name,
            link=f"https://arxiv.org/abs/2506.{number:05}",
            intro_ko=draw(_texts(_KOREAN, items=True)),
            intro_en=draw(st.just(()) | _texts(_ENGLISH, items=True)),
            abstract_ko=draw(_texts(_KOREAN, items=False)),
            abstract_en=draw(_texts(_ENGLISH, items=False)),
            more=draw(st.sampled_from([(), ("https://github.com/a/b",), ("https://x.com/a/status/1",)])),
            pictures=draw(st.integers(0, 2)),
            loose_lists=draw(st.booleans()),
            inline_link=draw(st.booleans()),
        )
        for number, name in enumerate(names)
    )


@st.composite
def _weeks(draw: st.DrawFn) -> SampleWeek:
    papers = draw(_papers())
    return replace(
        weeks()[0],
        papers=papers,
        overview=draw(_texts(_KOREAN, items=True)),
        summary=draw(st.sampled_from([(), tuple(f"- {paper.title_ko} 논문입니다" for paper in papers)])),
        abstract_label=draw(st.sampled_from(["논문 초록(Abstract)", "초록(Abstract)"])),
        rules_between_papers=draw(st.booleans()),
        newsletter=draw(st.sampled_from(["", "https://letter.example/1"])),
    )


def without_item_markers(lines: Sequence[str]) -> list[str]:
    return [line.removeprefix("- ") for line in lines]


@settings(max_examples=60)
@given(_weeks())
def test_every_week_is_parsed_back_to_the_texts_it_was_written_with(week: SampleWeek) -> None:
    content = parse(week.title, cook_week(week, "https://forum.example"), URL)
    assert content.problems == ()
    assert [block.text for block in content.overview] == without_item_markers(week.overview)
    assert [block.text for block in content.summary] == without_item_markers(week.summary)
    assert len(content.papers) == len(week.papers)
    for found, paper in zip(content.papers, week.papers, strict=True):
        assert (found.title_ko, found.title_en, found.url) == (paper.title_ko, paper.title_en, paper.link)
        for part in ("intro_ko", "intro_en", "abstract_ko", "abstract_en"):
            blocks = getattr(found, part)
            assert [block.text for block in blocks] == without_item_markers(getattr(paper, part))
            assert all(has_hangul(block.text) == part.endswith("ko") for block in blocks)
        items = [line.startswith("- ") for line in paper.intro_ko]
        assert [block.type == "li" for block in found.intro_ko] == items
        assert tuple(link.url for link in found.links) == paper.more
        assert len(found.pictures) == paper.pictures


@settings(max_examples=200)
@given(st.text(alphabet=st.sampled_from('<>/="&; \n가aph123논문소개링크'), max_size=300))
def test_any_characters_are_parsed_without_an_error(html: str) -> None:
    parse(TITLE, post_html() + html, URL)
