"""A weekly post of any year is read whole: every text in its place, in its language, without noise."""

import re

import pytest
from cooking import ADDRESS, FOOTER, GREETING, TITLE, heading, onebox, paper_html
from reading import as_truth, in_plain, only, read, texts, typed

from issues.post import parse
from paperboy.sample.cook import cook_week
from paperboy.sample.data import weeks
from paperboy.sample.truth import expected

# --- the sample weeks ---------------------------------------------------------------


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("topic_id", [week.topic_id for week in weeks()])
def test_a_sample_week_is_read_as_it_was_written(topic_id: int, edited: bool) -> None:
    week = next(week for week in weeks(edited=edited) if week.topic_id == topic_id)
    content = parse(week.title, cook_week(week, "https://forum.example"), ADDRESS)
    assert as_truth(content) == in_plain(expected(topic_id, edited))
    assert content.problems == ()
    assert [paper.notes for paper in content.papers if paper.notes] == []


@pytest.mark.parametrize("topic_id", [week.topic_id for week in weeks()])
def test_a_post_that_feedparser_has_sanitised_reads_the_same(topic_id: int) -> None:
    week = next(week for week in weeks() if week.topic_id == topic_id)
    html = cook_week(week, "https://forum.example")
    bare = re.sub(r'\s(data-[\w-]+|aria-label|loading|srcset)="[^"]*"', "", html)
    assert 'href="#p-' in bare
    resolved = bare.replace('href="#p-', 'href="https://forum.example/c/news/14.rss#p-')
    assert parse(week.title, resolved, ADDRESS) == parse(week.title, html, ADDRESS)


# --- shapes -------------------------------------------------------------------------


def test_title_and_greeting_are_no_part_of_the_overview() -> None:
    front = (
        heading(TITLE, 1) + heading("PyTorchKR🔥🇰🇷 🤔💭") + "<ul><li><p>첫째 흐름.</p></li></ul><p>맺음.</p>"
    )
    content = read(front=front)
    assert typed(content.overview) == [
        {"type": "li", "text": "첫째 흐름."},
        {"type": "p", "text": "맺음."},
    ]


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
    content = read(html, html.replace("올빼미 / Owl", "부엉이 / Eagle Owl").replace("00001", "00002"))
    assert [(paper.title_ko, paper.title_en) for paper in content.papers] == [
        ("올빼미", "Owl"),
        ("부엉이", "Eagle Owl"),
    ]
    assert texts(content.overview) == ["이번 주에는 작은 모델을 다룬 논문이 많습니다."]
    assert [[link.url for link in paper.links] for paper in content.papers] == [["https://owl.example/"]] * 2
    assert content.problems == ()


@pytest.mark.parametrize(("title_level", "label_level"), [(1, 2), (2, 2), (3, 3), (3, 4), (4, 6)])
def test_labels_are_found_at_any_heading_level(title_level: int, label_level: int) -> None:
    html = paper_html() + paper_html("매 / Hawk")
    html = re.sub(r"<(/?)h([23])>", lambda m: f"<{m[1]}h{title_level if m[2] == '2' else label_level}>", html)
    content = read(html)
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
    ],
)
def test_a_label_may_have_spaces_a_colon_emoji_or_stars(label: str) -> None:
    html = paper_html().replace("논문 소개</h3>", f"{label}</h3>")
    assert texts(only(html).intro_ko) == ["밤에 배우는 모델을 소개합니다."]


def test_a_label_before_a_line_break_is_still_a_label() -> None:
    html = (
        heading("올빼미 / Owl", 2)
        + "<p><strong>논문 소개</strong><br>\n소개 첫 줄.<br>\n소개 둘째 줄.</p>"
        + "<p><strong>초록(Abstract)</strong><br>\n초록입니다.</p><p>English.</p>"
        + '<p><strong>논문 링크</strong><br>\n<a href="https://arxiv.org/abs/2506.00001">arXiv</a></p>'
    )
    paper = only(html)
    assert [block.text for block in paper.intro_ko] == ["소개 첫 줄.\n소개 둘째 줄."]
    assert texts(paper.abstract_ko) == ["초록입니다."]
    assert paper.url == "https://arxiv.org/abs/2506.00001"


def test_papers_without_rules_between_them_do_not_run_together() -> None:
    content = read(paper_html() + paper_html("매 / Hawk", more=onebox("https://hawk.example/")))
    assert [paper.title_en for paper in content.papers] == ["Owl", "Hawk"]
    assert [len(paper.links) for paper in content.papers] == [0, 1]


def test_a_rule_inside_a_paper_does_not_end_it() -> None:
    paper = only(paper_html(intro="<p>앞 문장.</p><hr><p>뒤 문장.</p>", link="<hr>" + onebox("https://a.example/1"),
                            more="<p>모음:</p><hr>" + onebox("https://a.example/2")))  # fmt: skip
    assert texts(paper.intro_ko) == ["앞 문장.", "뒤 문장."]
    assert paper.url == "https://a.example/1"


@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize("loose", [True, False])
def test_both_languages_are_told_apart_quoted_or_bare_in_tight_or_loose_lists(
    quoted: bool, loose: bool
) -> None:
    def items(*lines: str) -> str:
        inner = [f"\n<p>{line}</p>\n" if loose else line for line in lines]
        return "<ul>\n" + "".join(f"<li>{line}</li>\n" for line in inner) + "</ul>\n"

    korean = (
        "<p>핵심은 다음과 같습니다:</p>"
        + items("<strong>첫째</strong> - 설명", "GPT-4o와 비교")
        + "<p>끝.</p>"
    )
    english = "<p>Key points:</p>" + items("<strong>First</strong> – text", "Compared") + "<p>Closing.</p>"
    paper = only(paper_html(intro=korean + (f"<blockquote>{english}</blockquote>" if quoted else english)))
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


def test_a_bold_lead_stays_bold() -> None:
    paper = only(paper_html(intro="<ul><li><strong>첫째</strong> - 설명</li></ul>"))
    assert [(run.text, run.bold) for run in paper.intro_ko[0].runs] == [("첫째", True), (" - 설명", False)]


def test_a_paper_without_further_reading_ends_at_its_link() -> None:
    for ending in ("<hr>\n" + FOOTER, FOOTER, ""):
        paper = only(paper_html(), ending=ending)
        assert (paper.links, paper.notes) == ((), ())


def test_a_label_without_a_link_under_it_does_no_harm() -> None:
    assert only(paper_html(more="\n")).links == ()


@pytest.mark.parametrize(
    "html",
    [
        onebox("https://a.example/1"),
        onebox("https://a.example/1").replace(' data-onebox-src="https://a.example/1"', ""),
        '<p><a href="https://a.example/1" class="onebox" target="_blank">https://a.example/1</a></p>',
        '<p><a href="https://a.example/1" class="inline-onebox">[1] The title of a page</a></p>',
        "<p>https://a.example/1</p>",
        "<ul><li>https://a.example/1.</li></ul>",
        '<p><a href="https://a.example/1"><img src="https://a.example/badge.svg" alt="badge"></a></p>',
        '<div class="youtube-onebox lazy-video-container"><a href="https://a.example/1"><img></a></div>',
        '<iframe src="https://a.example/1"></iframe>',
        '<aside class="quote quote-modified" data-topic="9"><div class="title"><a href="https://a.example/1">'
        "다른 글</a></div><blockquote>발췌</blockquote></aside>",
        '<aside class="onebox twitterstatus"><header class="source"><a href="https://a.example/1">x.com</a>'
        '</header><article><h4><a href="https://b.example/">A person</a></h4></article></aside>',
    ],
)
def test_a_link_is_found_in_whatever_shape_the_forum_gave_it(html: str) -> None:
    paper = only(paper_html(link=html, more=html.replace("a.example", "c.example")))
    assert paper.url == "https://a.example/1"
    assert [(link.url, link.label) for link in paper.links] == [("https://c.example/1", "")]
    assert paper.notes == ()


def test_several_links_in_one_paragraph_all_count_once() -> None:
    more = (
        '<p>코드: <a href="https://github.com/owl/owl">owl</a>, https://owl.example/demo<br>'
        '<a href="https://x.com/owl/status/1">x</a> <a href="https://twitter.com/owl/status/1">t</a></p>'
    )
    links = only(paper_html(more=more)).links
    assert [link.url for link in links] == [
        "https://github.com/owl/owl",
        "https://owl.example/demo",
        "https://x.com/owl/status/1",
    ]
    assert links[0].label.startswith("코드: owl")


def test_nothing_of_a_onebox_lands_in_a_text() -> None:
    paper = only(paper_html(intro="<p>소개합니다.</p>" + onebox("https://owl.example/")))
    assert texts(paper.intro_ko) == ["소개합니다.", "https://owl.example/"]
    assert texts(paper.abstract_en) == ["The English abstract."]


def test_a_quoted_post_is_kept_once_without_its_frame() -> None:
    quote = (
        '<aside class="quote no-group" data-username="owl" data-post="1" data-topic="9"><div class="title">'
        '<div class="quote-controls"></div>owl:</div><blockquote><p>인용한 문장.</p>'
        "<blockquote><p>그 안의 인용.</p></blockquote></blockquote></aside>"
    )
    paper = only(paper_html(intro="<p>앞.</p>" + quote))
    assert texts(paper.intro_ko) == ["앞.", "인용한 문장.", "그 안의 인용."]


def test_pictures_leave_neither_captions_nor_sizes_in_the_text() -> None:
    picture = (
        '<div class="lightbox-wrapper"><a class="lightbox" href="https://forum.example/o.png" title="올빼미 / Owl">'
        '<img alt="올빼미 / Owl" src="/uploads/s.png" width="690" height="388"><div class="meta">'
        '<span class="filename">올빼미 / Owl</span><span class="informations">1028×488 91 KB</span></div></a></div>'
    )
    html = paper_html().replace("</h2>", f"</h2>\n<p>{picture}<br>\n{picture}</p>\n", 1)
    paper = only(html)
    assert texts(paper.intro_ko) == ["밤에 배우는 모델을 소개합니다."]
    assert [(p.url, p.width, p.height) for p in paper.pictures] == [
        ("https://forum.example/uploads/s.png", 690, 388)
    ] * 2


def test_an_inline_page_title_is_part_of_its_sentence() -> None:
    link = '<a href="https://github.com/owl/owl" class="inline-onebox">GitHub - owl/owl: night · GitHub</a>'
    block = only(paper_html(intro=f"<p>코드는 {link} 에 있습니다.</p>")).intro_ko[0]
    assert block.text == "코드는 GitHub - owl/owl: night · GitHub 에 있습니다."
    assert block.links == ("https://github.com/owl/owl",)


def test_details_and_tables_keep_their_words_and_polls_are_dropped() -> None:
    extras = (
        "<p>결과입니다.</p><details><summary>자세히</summary><p>숨은 설명.</p></details>"
        '<div class="md-table"><table><thead><tr><th>모델</th><th>점수</th></tr></thead>'
        "<tbody><tr><td>Owl-7B</td><td>41.2</td></tr></tbody></table></div>"
        '<div class="poll-outer"><div class="poll"><ul><li>찬성</li></ul></div></div>'
    )
    paper = only(paper_html(intro=extras))
    assert texts(paper.intro_ko) == ["결과입니다.", "자세히", "숨은 설명.", "모델 · 점수", "Owl-7B · 41.2"]
    assert paper.intro_en == ()


def test_code_math_and_line_breaks_are_kept() -> None:
    intro = (
        '<p>함수 <code>a  = b**c</code> 와 <span class="math">x^2</span><br>다음 줄.</p>'
        '<pre><code class="lang-python">def f():\n    return 1\n</code></pre><div class="math">\\sum x</div>'
    )
    blocks = only(paper_html(intro=intro)).intro_ko
    assert [block.text for block in blocks] == [
        "함수 a  = b**c 와 x^2\n다음 줄.",
        "def f():\n    return 1",
        "\\sum x",
    ]
    assert [run.text for run in blocks[0].runs if run.code] == ["a  = b**c"]
    assert [run.text for block in blocks for run in block.runs if run.math] == ["x^2", "\\sum x"]


def test_a_formula_between_the_languages_stays_with_the_korean_text() -> None:
    paper = only(paper_html(abstract='<p>식은 이렇습니다.</p><div class="math">abc</div><p>English.</p>'))
    assert [texts(paper.abstract_ko), texts(paper.abstract_en)] == [["식은 이렇습니다.", "abc"], ["English."]]


def test_an_element_that_nobody_foresaw_does_not_tear_its_sentence_apart() -> None:
    paper = only(paper_html(intro="<p>앞 <dfn>가운데</dfn> <bdi>말</bdi> <ruby>뒤</ruby> 끝.</p>"))
    assert texts(paper.intro_ko) == ["앞 가운데 말 뒤 끝."]


def test_a_footnote_stands_where_its_number_stood() -> None:
    mark = '<sup class="footnote-ref"><a href="#footnote-1-1" id="r">[1]</a></sup>'
    notes = (
        '<hr class="footnotes-sep"><ol class="footnotes-list"><li id="footnote-1-1" class="footnote-item">'
        '<p>덧붙인 말. <a href="#r" class="footnote-backref">↩︎</a></p></li></ol>'
    )
    paper = only(paper_html(intro=f"<p>본문{mark}입니다.</p>"), ending="<hr>" + FOOTER + notes)
    assert texts(paper.intro_ko) == ["본문 (덧붙인 말.)입니다."]


def test_leftover_stars_become_bold_or_vanish_and_powers_stay() -> None:
    paper = only(paper_html(intro="<p>정확도 **41%**를 얻고 **시작만 했으며 2**10 개입니다.</p>"))
    assert paper.intro_ko[0].text == "정확도 41%를 얻고 시작만 했으며 2**10 개입니다."
    assert [run.text for run in paper.intro_ko[0].runs if run.bold] == ["41%"]


@pytest.mark.parametrize(
    "noise",
    ["\\textbf{올}, $n$ 그리고 $", "``올빼미''", "<think> ⟨bos⟩ ≠ ∼ ×", "이 https URL", "올 's ,  - -- “”"],
)
def test_noise_is_shown_as_text_and_breaks_nothing(noise: str) -> None:
    escaped = noise.replace("<", "&lt;").replace(">", "&gt;")
    assert only(paper_html(intro=f"<p>{escaped} 끝</p>")).intro_ko[0].text == " ".join(f"{noise} 끝".split())


@pytest.mark.parametrize(
    ("name", "character"),
    [
        ("fire", "🔥"),
        ("kr", "🇰🇷"),
        ("south_korea", "🇰🇷"),
        ("wrapped_gift", "🎁"),
        ("one", "1️⃣"),
        ("hugs", "🤗"),
    ],
)
def test_an_emoji_picture_of_either_naming_becomes_its_character(name: str, character: str) -> None:
    image = f'<img src="/images/emoji/apple/{name}.png?v=12" title=":{name}:" class="emoji" alt=":{name}:">'
    assert only(paper_html(intro=f"<p>{image} 소개</p>")).intro_ko[0].text == f"{character} 소개"


def test_signs_that_are_only_sometimes_emoji_stay_in_a_title() -> None:
    paper = only(paper_html("🔥 글↔그림 / Text↔Image™"))
    assert (paper.title_ko, paper.title_en) == ("글↔그림", "Text↔Image™")


@pytest.mark.parametrize(
    "disclaimer",
    [
        "<p><em>이 글은 GPT 모델로 정리하였으니 원문을 함께 봐 주세요.</em> 🤗</p>",
        "<ul><li>이 글은 GPT 모델로 정리하였으니 원문을 함께 봐 주세요.*</li></ul>",
        "",
    ],
)
def test_source_disclaimer_footers_and_a_trailing_picture_belong_to_no_paper(disclaimer: str) -> None:
    image = f'<img src="/uploads/x.png" alt="{TITLE}" width="690" height="362"></p>'
    source = heading("원문", 2) + onebox("https://letter.example/12")
    for ending in (
        "<hr>" + source + "<hr>" + disclaimer + FOOTER,
        source + disclaimer + FOOTER.replace("</p>\n", image, 1),
        disclaimer + FOOTER,
    ):
        paper = only(paper_html(more=onebox("https://owl.example/")), ending=ending)
        assert [link.url for link in paper.links] == ["https://owl.example/"]
        assert paper.notes == ()


def test_the_word_for_source_inside_a_paper_does_not_end_it() -> None:
    paper = only(
        paper_html(
            intro="<p>GPT 요약을 원문과 비교하고 좋아요를 눌러 평가합니다.</p>",
            abstract="<p>원문을 봅니다.</p><p>English.</p>",
            more='<p><a href="https://owl.example/">원문</a></p>',
        )
    )
    assert texts(paper.intro_ko) == ["GPT 요약을 원문과 비교하고 좋아요를 눌러 평가합니다."]
    assert texts(paper.abstract_en) == ["English."]
    assert [link.url for link in paper.links] == ["https://owl.example/"]


def test_the_summary_per_paper_is_kept_apart_from_the_overview() -> None:
    front = (
        GREETING
        + heading("논문별 핵심 요약", 2)
        + "<ul><li><p><strong>Owl</strong> 은 밤에 배웁니다.</p></li></ul><hr>"
    )
    content = read(front=front)
    assert texts(content.summary) == ["Owl 은 밤에 배웁니다."]
    assert len(content.overview) == 1


def test_two_papers_under_one_link_by_mistake_are_both_kept() -> None:
    link = onebox("https://arxiv.org/abs/2506.00001")
    content = read(paper_html(link=link), paper_html("매 / Hawk", link=link))
    assert [paper.title_en for paper in content.papers] == ["Owl", "Hawk"]
    assert [paper.title_en for paper in read(paper_html(), paper_html()).papers] == ["Owl"]


# --- checks -------------------------------------------------------------------------


def problems(*papers: str, **around: str) -> str:
    return "\n".join(read(*papers, **around).problems)


def test_a_post_without_papers_is_a_problem() -> None:
    assert problems("<p>곧 올리겠습니다.</p>") == "no paper was found"


@pytest.mark.parametrize(
    ("html", "said"),
    [
        (paper_html(abstract="<p>Only English.</p>"), "Korean abstract"),
        (paper_html(intro=""), "Korean introduction"),
        (paper_html(link="<p>곧 추가합니다.</p>"), "link"),
        (paper_html(link='<p><a href="javascript:alert(1)">논문</a></p>'), "link"),
    ],
)
def test_a_paper_that_lacks_a_part_is_a_problem_that_names_it(html: str, said: str) -> None:
    assert f"paper 2 (Owl) has no {said}" in problems(paper_html("매 / Hawk"), html)


def test_a_paper_whose_introduction_label_is_missing_is_not_merged_into_its_neighbour() -> None:
    broken = paper_html("매 / Hawk").replace("논문 소개", "소개글")
    for papers in ((paper_html(), broken), (broken, paper_html())):
        content = read(*papers)
        assert {paper.title_en for paper in content.papers} == {"Owl", "Hawk"}


def test_a_post_of_which_a_tenth_is_lost_is_a_problem() -> None:
    lost = "<p>" + "알 수 없는 긴 글입니다. " * 40 + "</p>"
    assert "of the post's text was not recognised" in problems(ending="<hr>" + lost + FOOTER)
    assert problems(ending="<hr><p>짧은 말.</p>" + FOOTER) == ""


def test_an_ending_inside_a_paper_is_a_problem() -> None:
    assert "ending" in problems(paper_html(intro="<p>소개.</p>" + FOOTER))
