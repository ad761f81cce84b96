"""The texts and links of a post are read back from the markup that the forum renders, with nothing else."""

from urllib.parse import unquote

import pytest

from tests.support.parsed_posts import parsed_paper, parsed_post, simplified_texts
from tests.support.post_html import FOOTER, onebox, paper_html

# --- links --------------------------------------------------------------------------


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
def test_a_link_is_found_in_every_form_in_which_the_forum_renders_it(html: str) -> None:
    paper = parsed_paper(paper_html(link=html, more=html.replace("a.example", "c.example")))
    assert paper.url == "https://a.example/1"
    assert [(link.url, link.label) for link in paper.links] == [("https://c.example/1", "")]
    assert paper.notes == ()


def test_each_of_several_links_in_one_paragraph_is_kept_once() -> None:
    more = (
        '<p>코드: <a href="https://github.com/owl/owl">owl</a>, https://owl.example/demo<br>'
        '<a href="https://x.com/owl/status/1">x</a> <a href="https://twitter.com/owl/status/1">t</a></p>'
    )
    links = parsed_paper(paper_html(more=more)).links
    assert [link.url for link in links] == [
        "https://github.com/owl/owl",
        "https://owl.example/demo",
        "https://x.com/owl/status/1",
    ]
    assert links[0].label.startswith("코드: owl")


def test_a_onebox_adds_only_its_link_to_the_text() -> None:
    paper = parsed_paper(paper_html(intro="<p>소개합니다.</p>" + onebox("https://owl.example/")))
    assert simplified_texts(paper.intro_ko) == ["소개합니다.", "https://owl.example/"]
    assert simplified_texts(paper.abstract_en) == ["The English abstract."]


def test_an_inline_page_title_is_part_of_its_sentence() -> None:
    link = '<a href="https://github.com/owl/owl" class="inline-onebox">GitHub - owl/owl: night · GitHub</a>'
    block = parsed_paper(paper_html(intro=f"<p>코드는 {link} 에 있습니다.</p>")).intro_ko[0]
    assert block.text == "코드는 GitHub - owl/owl: night · GitHub 에 있습니다."
    assert block.links == ("https://github.com/owl/owl",)


# --- other elements -----------------------------------------------------------------


def test_a_quoted_post_is_kept_once_without_its_frame() -> None:
    quote = (
        '<aside class="quote no-group" data-username="owl" data-post="1" data-topic="9"><div class="title">'
        '<div class="quote-controls"></div>owl:</div><blockquote><p>인용한 문장.</p>'
        "<blockquote><p>그 안의 인용.</p></blockquote></blockquote></aside>"
    )
    paper = parsed_paper(paper_html(intro="<p>앞.</p>" + quote))
    assert simplified_texts(paper.intro_ko) == ["앞.", "인용한 문장.", "그 안의 인용."]


def test_pictures_leave_neither_captions_nor_sizes_in_the_text() -> None:
    picture = (
        '<div class="lightbox-wrapper"><a class="lightbox" href="https://forum.example/o.png" title="올빼미 / Owl">'
        '<img alt="올빼미 / Owl" src="/uploads/s.png" width="690" height="388"><div class="meta">'
        '<span class="filename">올빼미 / Owl</span><span class="informations">1028×488 91 KB</span></div></a></div>'
    )
    html = paper_html().replace("</h2>", f"</h2>\n<p>{picture}<br>\n{picture}</p>\n", 1)
    paper = parsed_paper(html)
    assert simplified_texts(paper.intro_ko) == ["밤에 배우는 모델을 소개합니다."]
    assert [(p.url, p.width, p.height) for p in paper.pictures] == [
        ("https://forum.example/uploads/s.png", 690, 388)
    ] * 2


def test_details_and_tables_keep_their_words_and_polls_are_dropped() -> None:
    extras = (
        "<p>결과입니다.</p><details><summary>자세히</summary><p>숨은 설명.</p></details>"
        '<div class="md-table"><table><thead><tr><th>모델</th><th>점수</th></tr></thead>'
        "<tbody><tr><td>Owl-7B</td><td>41.2</td></tr></tbody></table></div>"
        '<div class="poll-outer"><div class="poll"><ul><li>찬성</li></ul></div></div>'
    )
    paper = parsed_paper(paper_html(intro=extras))
    assert simplified_texts(paper.intro_ko) == [
        "결과입니다.",
        "자세히",
        "숨은 설명.",
        "모델 · 점수 Owl-7B · 41.2",
    ]
    assert [[run.text for run in cell] for row in paper.intro_ko[3].rows for cell in row] == [
        ["모델"],
        ["점수"],
        ["Owl-7B"],
        ["41.2"],
    ]
    assert paper.intro_en == ()


def test_the_text_of_a_footnote_replaces_its_number() -> None:
    mark = '<sup class="footnote-ref"><a href="#footnote-1-1" id="r">[1]</a></sup>'
    notes = (
        '<hr class="footnotes-sep"><ol class="footnotes-list"><li id="footnote-1-1" class="footnote-item">'
        '<p>덧붙인 말. <a href="#r" class="footnote-backref">↩︎</a></p></li></ol>'
    )
    paper = parsed_paper(paper_html(intro=f"<p>본문{mark}입니다.</p>"), ending="<hr>" + FOOTER + notes)
    assert simplified_texts(paper.intro_ko) == ["본문 (덧붙인 말.)입니다."]


def test_a_footnote_of_a_title_stays_at_the_end_and_the_title_has_both_languages() -> None:
    mark = '<sup class="footnote-ref"><a href="#footnote-1-1">[1]</a></sup>'
    notes = '<ol class="footnotes-list"><li id="footnote-1-1"><p>상을 받은 논문입니다.</p></li></ol>'
    content = parsed_post(paper_html(f"올빼미 / Owl{mark}"), ending="<hr>" + FOOTER + notes)
    assert (content.papers[0].title_ko, content.papers[0].title_en) == ("올빼미", "Owl[1]")
    assert simplified_texts(content.closing) == ["상을 받은 논문입니다."]


def test_an_unknown_inline_element_does_not_split_its_sentence() -> None:
    paper = parsed_paper(paper_html(intro="<p>앞 <dfn>가운데</dfn> <bdi>말</bdi> <ruby>뒤</ruby> 끝.</p>"))
    assert simplified_texts(paper.intro_ko) == ["앞 가운데 말 뒤 끝."]


# --- styles and characters ----------------------------------------------------------


def test_a_bold_lead_stays_bold() -> None:
    paper = parsed_paper(paper_html(intro="<ul><li><strong>첫째</strong> - 설명</li></ul>"))
    assert [(run.text, run.bold) for run in paper.intro_ko[0].runs] == [("첫째", True), (" - 설명", False)]


def test_code_math_and_line_breaks_are_kept() -> None:
    intro = (
        '<p>함수 <code>a  = b**c</code> 와 <span class="math">x^2</span><br>다음 줄.</p>'
        '<pre><code class="lang-python">def f():\n    return 1\n</code></pre><div class="math">\\sum x</div>'
    )
    blocks = parsed_paper(paper_html(intro=intro)).intro_ko
    assert [block.text for block in blocks] == [
        "함수 a  = b**c 와 x^2\n다음 줄.",
        "def f():\n    return 1",
        "\\sum x",
    ]
    assert [run.text for run in blocks[0].runs if run.code] == ["a  = b**c"]
    assert [run.text for block in blocks for run in block.runs if run.math] == ["x^2", "\\sum x"]


def test_leftover_stars_become_bold_or_are_removed_and_powers_stay() -> None:
    paper = parsed_paper(paper_html(intro="<p>정확도 **41%**를 얻고 **시작만 했으며 2**10 개입니다.</p>"))
    assert paper.intro_ko[0].text == "정확도 41%를 얻고 시작만 했으며 2**10 개입니다."
    assert [run.text for run in paper.intro_ko[0].runs if run.bold] == ["41%"]


@pytest.mark.parametrize(
    "written",
    ["\\textbf{올}, $n$ 그리고 $", "``올빼미''", "<think> ⟨bos⟩ ≠ ∼ ×", "이 https URL", "올 's ,  - -- “”"],
)
def test_odd_characters_and_commands_are_shown_as_text(written: str) -> None:
    escaped = written.replace("<", "&lt;").replace(">", "&gt;")
    assert parsed_paper(paper_html(intro=f"<p>{escaped} 끝</p>")).intro_ko[0].text == " ".join(
        f"{written} 끝".split()
    )


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
def test_an_emoji_image_becomes_its_character_whichever_name_it_has(name: str, character: str) -> None:
    image = f'<img src="/images/emoji/apple/{name}.png?v=12" title=":{name}:" class="emoji" alt=":{name}:">'
    assert parsed_paper(paper_html(intro=f"<p>{image} 소개</p>")).intro_ko[0].text == f"{character} 소개"


def test_symbols_that_are_only_sometimes_emoji_stay_in_a_title() -> None:
    paper = parsed_paper(paper_html("🔥 글↔그림 / Text↔Image™"))
    assert (paper.title_ko, paper.title_en) == ("글↔그림", "Text↔Image™")


# --- meaning ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("10<sup>6</sup>개", "10⁶개"),
        ("H<sub>2</sub>O", "H₂O"),
        ("2<sup>n+1</sup>", "2ⁿ⁺¹"),
        ("x<sup>가</sup>", "x^(가)"),
        ("2<sup>3<sup>2</sup></sup>", "2^(3^(2))"),
        ("x<sub>i<sub>1</sub></sub>", "x_(i_(1))"),
        ("<s>41.2</s> 43.0", "~~41.2~~ 43.0"),
        ("<del>41.2</del> 43.0", "~~41.2~~ 43.0"),
    ],
)
def test_raised_lowered_and_struck_text_keeps_its_meaning(html: str, text: str) -> None:
    assert (
        parsed_paper(paper_html(intro=f"<p>값은 {html} 입니다.</p>")).intro_ko[0].text
        == f"값은 {text} 입니다."
    )


def test_a_title_keeps_its_numbers() -> None:
    paper = parsed_paper(paper_html("10<sup>6</sup>배 / A 10<sup>6</sup>-fold Speedup"))
    assert (paper.title_ko, paper.title_en) == ("10⁶배", "A 10⁶-fold Speedup")


def test_nested_lists_stay_nested_and_ordered_lists_keep_their_numbers() -> None:
    html = "<ol start=3><li>셋<ul><li>안쪽<ul><li>더 안쪽</li></ul></li></ul></li><li>넷</li></ol>"
    blocks = parsed_paper(paper_html(intro=html)).intro_ko
    assert [(block.text, block.depth, block.number) for block in blocks] == [
        ("셋", 0, 3),
        ("안쪽", 1, 0),
        ("더 안쪽", 2, 0),
        ("넷", 0, 4),
    ]


def test_a_picture_without_a_lightbox_is_kept_if_the_post_gives_its_size() -> None:
    images = '<p><img src="/a.png" width="600" height="300"> <img src="/b.png"><em><img src="/c.png" width=90 height=20></em></p>'
    paper = parsed_paper(paper_html(intro="<p>소개합니다.</p>" + images))
    assert [(picture.url, picture.width) for picture in paper.pictures] == [
        ("https://forum.example/a.png", 600),
        ("https://forum.example/c.png", 90),
    ]


def test_a_footnote_stands_at_its_first_reference_only() -> None:
    mark = '<sup class="footnote-ref"><a href="#footnote-1-1">[1]</a></sup>'
    notes = '<ol class="footnotes-list"><li id="footnote-1-1"><p>덧붙인 <a href="https://a.example/">말</a>.</p></li></ol>'
    paper = parsed_paper(paper_html(intro=f"<p>하나{mark} 둘{mark}.</p>"), ending="<hr>" + FOOTER + notes)
    assert paper.intro_ko[0].text == "하나 (덧붙인 말.) 둘[1]."
    assert paper.intro_ko[0].links == ("https://a.example/",)


@pytest.mark.parametrize("sign", ["&#11;", "&#12;", "\ufffe", "\u202e", "\u2067"])
def test_no_control_sign_is_stored_in_text_code_or_addresses(sign: str) -> None:
    html = f'<p>글{sign}자 <code>코{sign}드</code> <a href="https://a.example/{sign}x">링크</a></p><pre>a{sign}b</pre>'
    stored = repr(parsed_paper(paper_html(intro=html)))
    assert not any(repr(character)[1:-1] in stored for character in "\x0b\x0c\ufffe\u202e\u2067")


@pytest.mark.parametrize(
    "address",
    [
        "https://ko.example/wiki/Cafe\u0301",
        "https://th.example/ไทย",
        "https://a.example/\U0001f468\u200d\U0001f4bb",
    ],
)
def test_an_address_with_combining_signs_is_percent_encoded(address: str) -> None:
    (url,) = parsed_paper(paper_html(intro=f'<p>여기 <a href="{address}">글</a></p>')).intro_ko[0].links
    assert url.isascii()
    assert unquote(url) == address
