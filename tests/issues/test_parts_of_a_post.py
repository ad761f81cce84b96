"""A weekly post of any year is split into its opening, its papers, and their texts by label and language."""

import re

import pytest

from issues.parse.post import parse
from paperboy.demo.sample.cook import cook_week
from paperboy.demo.sample.data import weeks
from paperboy.demo.sample.truth import expected
from tests.support.parsed_posts import (
    as_truth,
    parsed_paper,
    parsed_post,
    simplified_texts,
    simplified_truth,
    types_and_texts,
)
from tests.support.post_html import FOOTER, GREETING, TITLE, URL, heading, onebox, paper_html

# --- the sample weeks ---------------------------------------------------------------


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("topic_id", [week.topic_id for week in weeks()])
def test_a_sample_week_is_read_as_it_was_written(topic_id: int, edited: bool) -> None:
    week = next(week for week in weeks(edited=edited) if week.topic_id == topic_id)
    content = parse(week.title, cook_week(week, "https://forum.example"), URL)
    assert as_truth(content) == simplified_truth(expected(topic_id, edited))
    assert content.problems == ()
    assert [paper.notes for paper in content.papers if paper.notes] == []


@pytest.mark.parametrize("topic_id", [week.topic_id for week in weeks()])
def test_a_post_is_parsed_the_same_after_feedparser_has_sanitised_it(topic_id: int) -> None:
    week = next(week for week in weeks() if week.topic_id == topic_id)
    html = cook_week(week, "https://forum.example")
    bare = re.sub(r'\s(data-[\w-]+|aria-label|loading|srcset)="[^"]*"', "", html)
    assert 'href="#p-' in bare
    resolved = bare.replace('href="#p-', 'href="https://forum.example/c/news/14.rss#p-')
    assert parse(week.title, resolved, URL) == parse(week.title, html, URL)


# --- papers and labels --------------------------------------------------------------


def test_the_title_and_the_greeting_are_not_part_of_the_overview() -> None:
    front = (
        heading(TITLE, 1) + heading("PyTorchKR🔥🇰🇷 🤔💭") + "<ul><li><p>첫째 흐름.</p></li></ul><p>맺음.</p>"
    )
    content = parsed_post(front=front)
    assert types_and_texts(content.overview) == [
        {"type": "li", "text": "첫째 흐름."},
        {"type": "p", "text": "맺음."},
    ]


def test_the_summary_per_paper_is_kept_apart_from_the_overview() -> None:
    front = (
        GREETING
        + heading("논문별 핵심 요약", 2)
        + "<ul><li><p><strong>Owl</strong> 은 밤에 배웁니다.</p></li></ul><hr>"
    )
    content = parsed_post(front=front)
    assert simplified_texts(content.summary) == ["Owl 은 밤에 배웁니다."]
    assert len(content.overview) == 1


def test_a_label_in_full_width_characters_is_a_label() -> None:
    html = paper_html().replace("논문 초록(Abstract)", "논문 초록（Ａｂｓｔｒａｃｔ）")
    assert "（" in html
    assert parsed_paper(html) == parsed_paper(paper_html())


def test_the_first_paper_may_have_its_title_in_a_paragraph() -> None:
    labels = "<p><strong>{}</strong></p>\n"
    html = (
        "<p><strong>올빼미 / Owl</strong></p>\n"
        + labels.format("논문 소개")
        + "<p>소개입니다.</p>"
        + labels.format("논문 초록(Abstract):")
        + "<p>초록입니다.</p><p>English.</p>"
        + labels.format("논문 링크")
        + onebox("https://arxiv.org/abs/2506.00001")
        + labels.format("📖 더 읽어보기")
        + '<p><a href="https://owl.example/">https://owl.example/</a></p>'
    )
    content = parsed_post(html, html.replace("올빼미 / Owl", "부엉이 / Eagle Owl").replace("00001", "00002"))
    assert [(paper.title_ko, paper.title_en) for paper in content.papers] == [
        ("올빼미", "Owl"),
        ("부엉이", "Eagle Owl"),
    ]
    assert simplified_texts(content.overview) == ["이번 주에는 작은 모델을 다룬 논문이 많습니다."]
    assert [[link.url for link in paper.links] for paper in content.papers] == [["https://owl.example/"]] * 2
    assert content.problems == ()


@pytest.mark.parametrize(("title_level", "label_level"), [(1, 2), (2, 2), (3, 3), (3, 4), (4, 6)])
def test_labels_are_found_at_any_heading_level(title_level: int, label_level: int) -> None:
    html = paper_html() + paper_html("매 / Hawk")
    html = re.sub(r"<(/?)h([23])>", lambda m: f"<{m[1]}h{title_level if m[2] == '2' else label_level}>", html)
    content = parsed_post(html)
    assert [paper.title_en for paper in content.papers] == ["Owl", "Hawk"]
    assert content.problems == ()


@pytest.mark.parametrize(
    "label",
    [
        "논문 소개",
        " 논문  소개 : ",
        "🔥 논문 소개",
        "<strong>논문 소개</strong>",
        "▶ 논문 소개",
        "**논문 소개**",
        "논문 소개 / Introduction",
        "Introduction/논문 소개",
    ],
)
def test_a_label_may_have_spaces_a_colon_emoji_or_stars(label: str) -> None:
    html = paper_html().replace("논문 소개</h3>", f"{label}</h3>")
    assert simplified_texts(parsed_paper(html).intro_ko) == ["밤에 배우는 모델을 소개합니다."]


def test_a_label_before_a_line_break_is_still_a_label() -> None:
    html = (
        heading("올빼미 / Owl", 2)
        + "<p><strong>논문 소개</strong><br>\n소개 첫 줄.<br>\n소개 둘째 줄.</p>"
        + "<p><strong>초록(Abstract)</strong><br>\n초록입니다.</p><p>English.</p>"
        + '<p><strong>논문 링크</strong><br>\n<a href="https://arxiv.org/abs/2506.00001">arXiv</a></p>'
    )
    paper = parsed_paper(html)
    assert [block.text for block in paper.intro_ko] == ["소개 첫 줄.\n소개 둘째 줄."]
    assert simplified_texts(paper.abstract_ko) == ["초록입니다."]
    assert paper.url == "https://arxiv.org/abs/2506.00001"


@pytest.mark.parametrize(
    "other",
    ["https://github.com/owl/owl", "https://www.youtube.com/watch?v=owl", "https://x.com/owl/status/1"],
)
def test_the_link_of_a_paper_is_the_first_that_leads_to_a_paper(other: str) -> None:
    own = "https://openreview.net/forum?id=owl"
    entries = f'<ul><li>코드: <a href="{other}">{other}</a></li><li>논문: <a href="{own}">{own}</a></li></ul>'
    for link in (onebox(other) + onebox(own), entries):
        paper = parsed_paper(paper_html(link=link))
        assert (paper.url, [each.url for each in paper.links]) == (own, [other])
    assert paper.links[0].label == f"코드: {other}"
    assert simplified_texts(paper.notes) == [f"논문: {own}"]
    assert parsed_paper(paper_html(link=onebox(other))).url == other


def test_a_link_label_without_a_link_under_it_adds_no_link() -> None:
    assert parsed_paper(paper_html(more="\n")).links == ()


def test_papers_without_rules_between_them_do_not_run_together() -> None:
    content = parsed_post(paper_html() + paper_html("매 / Hawk", more=onebox("https://hawk.example/")))
    assert [paper.title_en for paper in content.papers] == ["Owl", "Hawk"]
    assert [len(paper.links) for paper in content.papers] == [0, 1]


def test_a_rule_inside_a_paper_does_not_end_it() -> None:
    paper = parsed_paper(paper_html(intro="<p>앞 문장.</p><hr><p>뒤 문장.</p>", link="<hr>" + onebox("https://a.example/1"),
                            more="<p>모음:</p><hr>" + onebox("https://a.example/2")))  # fmt: skip
    assert simplified_texts(paper.intro_ko) == ["앞 문장.", "뒤 문장."]
    assert paper.url == "https://a.example/1"


def test_the_word_for_source_inside_a_paper_does_not_end_it() -> None:
    paper = parsed_paper(
        paper_html(
            intro="<p>GPT 요약을 원문과 비교하고 좋아요를 눌러 평가합니다.</p>",
            abstract="<p>원문을 봅니다.</p><p>English.</p>",
            more='<p><a href="https://owl.example/">원문</a></p>',
        )
    )
    assert simplified_texts(paper.intro_ko) == ["GPT 요약을 원문과 비교하고 좋아요를 눌러 평가합니다."]
    assert simplified_texts(paper.abstract_en) == ["English."]
    assert [link.url for link in paper.links] == ["https://owl.example/"]


def test_a_paper_without_further_reading_ends_at_its_link() -> None:
    for ending in ("<hr>\n" + FOOTER, FOOTER, ""):
        paper = parsed_paper(paper_html(), ending=ending)
        assert (paper.links, paper.notes) == ((), ())


@pytest.mark.parametrize(
    "disclaimer",
    [
        "<p><em>이 글은 GPT 모델로 정리하였으니 원문을 함께 봐 주세요.</em> 🤗</p>",
        "<ul><li>이 글은 GPT 모델로 정리하였으니 원문을 함께 봐 주세요.*</li></ul>",
        "",
    ],
)
def test_source_disclaimer_footer_and_a_trailing_picture_belong_to_no_paper(disclaimer: str) -> None:
    image = f'<img src="/uploads/x.png" alt="{TITLE}" width="690" height="362"></p>'
    source = heading("원문", 2) + onebox("https://letter.example/12")
    for ending in (
        "<hr>" + source + "<hr>" + disclaimer + FOOTER,
        source + disclaimer + FOOTER.replace("</p>\n", image, 1),
        disclaimer + FOOTER,
    ):
        paper = parsed_paper(paper_html(more=onebox("https://owl.example/")), ending=ending)
        assert [link.url for link in paper.links] == ["https://owl.example/"]
        assert paper.notes == ()


def test_two_papers_with_the_same_link_by_mistake_are_both_kept() -> None:
    link = onebox("https://arxiv.org/abs/2506.00001")
    content = parsed_post(paper_html(link=link), paper_html("매 / Hawk", link=link))
    assert [paper.title_en for paper in content.papers] == ["Owl", "Hawk"]
    assert [paper.title_en for paper in parsed_post(paper_html(), paper_html()).papers] == ["Owl"]


# --- languages ----------------------------------------------------------------------


@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize("loose", [True, False])
def test_both_languages_are_separated_in_quotes_and_in_tight_or_loose_lists(
    quoted: bool, loose: bool
) -> None:
    def list_of(*lines: str) -> str:
        contents = [f"\n<p>{line}</p>\n" if loose else line for line in lines]
        return "<ul>\n" + "".join(f"<li>{content}</li>\n" for content in contents) + "</ul>\n"

    korean = (
        "<p>핵심은 다음과 같습니다:</p>"
        + list_of("<strong>첫째</strong> - 설명", "GPT-4o와 비교")
        + "<p>끝.</p>"
    )
    english = "<p>Key points:</p>" + list_of("<strong>First</strong> – text", "Compared") + "<p>Closing.</p>"
    paper = parsed_paper(
        paper_html(intro=korean + (f"<blockquote>{english}</blockquote>" if quoted else english))
    )
    assert [(block.type, block.text) for block in paper.intro_ko] == [
        ("p", "핵심은 다음과 같습니다:"),
        ("li", "첫째 - 설명"),
        ("li", "GPT-4o와 비교"),
        ("p", "끝."),
    ]
    assert [(block.type, block.text) for block in paper.intro_en] == [
        ("p", "Key points:"),
        ("li", "First – text"),
        ("li", "Compared"),
        ("p", "Closing."),
    ]


def test_a_formula_between_the_languages_stays_with_the_korean_text() -> None:
    paper = parsed_paper(
        paper_html(abstract='<p>식은 이렇습니다.</p><div class="math">abc</div><p>English.</p>')
    )
    assert [simplified_texts(paper.abstract_ko), simplified_texts(paper.abstract_en)] == [
        ["식은 이렇습니다.", "abc"],
        ["English."],
    ]
