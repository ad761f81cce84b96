"""Each paper has a gist: one whole sentence of the post, verbatim but for markup, that says what the paper does."""

from collections.abc import Sequence

import pytest

from core.languages import TextLanguage
from issues.gist import MAX_CHARACTERS, with_gists, with_own_gists
from issues.parse.content import PaperContent, Section
from issues.parse.post import parse
from issues.parse.text import Block, TextRun
from paperboy.demo.sample.cook import cook_week
from paperboy.demo.sample.data import weeks
from tests.support.factories import blocks
from tests.support.post_html import URL

Text = str | Sequence[Block]


def gist_of(korean: Text = "", english: Text = "", title: str = "부엉이 / Owl") -> str:
    """The gist of a paper with one introduction, which may be one paragraph."""
    title_ko, _, title_en = title.partition(" / ")
    intro_ko, intro_en = (
        blocks(text) if isinstance(text, str) else tuple(text) for text in (korean, english)
    )
    found = with_own_gists(PaperContent(title_ko, title_en, intro_ko=intro_ko, intro_en=intro_en))
    return found.gist_ko or found.gist_en


def test_a_paper_whose_texts_are_under_headings_of_their_own_has_a_gist() -> None:
    gist = "밤에만 학습하여 전기를 아끼는 새로운 학습 방법을 제안합니다."
    section = Section("이 논문은", "title", blocks(gist))
    assert with_own_gists(PaperContent("부엉이", "Owl", sections=(section,))).gist_ko == gist
    usual = blocks("낮에만 학습하여 시간을 아끼는 새로운 학습 방법을 제안합니다.")
    found = with_own_gists(PaperContent("부엉이", "Owl", intro_ko=usual, sections=(section,)))
    assert found.gist_ko == usual[0].text


# --- the sentence that says what the paper does, in the styles of the years ----------

PROBLEM = "긴 문서를 읽는 모델은 필요한 문장을 자주 놓칩니다. "
PROBLEM_EN = "Models that read long documents often miss the sentence they need. "


@pytest.mark.parametrize(
    ("title", "before", "gist", "after"),
    [
        # October 2024: one paragraph each, in English without a subject.
        ("부엉이 / Owl", "", "밤에만 학습하여 전기를 아끼는 새로운 학습 방법을 제안합니다.", " 비용이 절반으로 줄었습니다."),
        ("부엉이 / Owl", "", "Proposes a training method that learns at night; it halves the bill for electricity.", ""),
        # Spring 2025: a paragraph that ends in a colon, then a list.
        (
            "부엉이: 밤에 배우기 / Owl: Learning at Night",
            PROBLEM,
            "숲 연구소의 연구원들이 밤에만 학습하여 전기를 아끼는 시스템인 Owl을 출시합니다.",
            " 핵심 아이디어는 다음과 같습니다:",
        ),
        (
            "부엉이: 밤에 배우기 / Owl: Learning at Night",
            "",
            "Researchers at Forest Lab release Owl, a system that trains models at night when power is cheap.",
            " Key ideas:",
        ),
        ("부엉이 / Owl", "", "이 서베이 논문은 밤에 배우는 모델에 관한 연구 120편을 네 갈래로 나누어 정리합니다.", ""),
        ("부엉이 / Owl", "", "This survey reviews 120 studies on models that learn at night and sorts them into four groups.", ""),
        # Since July 2025: one Korean paragraph that begins with the problem, polite or plain.
        (
            "부엉이 / Owl",
            "최근 모델의 학습 비용이 빠르게 늘고 있습니다. ",
            "Owl은 전기가 남는 밤에만 학습하도록 일정을 나누는 학습 프레임워크입니다.",
            " 실험 결과, Owl은 비용을 41% 줄였습니다.",
        ),
        (
            "어두움에 대하여 / On Darkness",
            "기존 연구는 낮의 데이터만 다루어 왔다. ",
            "본 연구는 밤에 찍은 사진에서 모델의 정확도가 평균 23% 떨어지는 원인을 밝혔다.",
            "",
        ),
        ("부엉이 / Owl", PROBLEM, "이 논문에서는 지나간 문장을 밤사이 다시 읽어 기억을 다듬는 방법을 소개한다.", ""),
        # The abstracts of arXiv.
        (
            "부엉이 / Owl: Learning at Night",
            "Recent models are trained around the clock. However, power remains expensive. ",
            "In this paper, we introduce Owl, a scheduler that trains language models only while power is cheap.",
            " Experiments show that it works. Code is available at https://owl.example.",
        ),
        (
            "어두움에 대하여 / On Darkness",
            "Despite their success, the behaviour of models on dark images is poorly understood. ",
            "We find that accuracy falls by 23% on photographs taken at night, and that colour is not the cause.",
            " We hope that our findings inspire future work.",
        ),
        (
            "부엉이 / Owl Technical Report",
            "",
            "Owl is a family of open language models with 3 to 70 billion parameters that answer in 40 languages.",
            " We release all weights.",
        ),
        (
            "어두움에 대하여 / On Darkness",
            PROBLEM_EN,
            "We study how the hour at which a photograph was taken changes what a vision model sees in it.",
            "",
        ),
        (
            "부엉이 / Night Shift",
            PROBLEM_EN,
            "Our experiments reveal that training at night costs 41% less and loses no accuracy on ten benchmarks.",
            "",
        ),
        ("부엉이 / Owl", "As power gets expensive, training costs grow. ", "Owl cuts the cost of training by 41% by moving it to the hours when power is cheap.", ""),
    ],
)  # fmt: skip
def test_the_sentence_that_says_what_the_paper_does_is_chosen(
    title: str, before: str, gist: str, after: str
) -> None:
    is_korean = any("가" <= character <= "힣" for character in gist)
    text = before + gist + after
    assert gist_of(text if is_korean else "", "" if is_korean else text, title) == gist


@pytest.mark.parametrize(
    "text",
    [
        "",
        "언어 모델은 왜 밤에 더 잘 배울까요?",
        "최근 대규모 언어 모델의 학습 비용이 빠르게 늘어나고 있습니다.",
        "기존의 방법은 낮에만 학습하므로 전기 요금이 많이 드는 한계가 있습니다.",
        "이 논문이 제안하는 세 가지 규칙은 다음과 같습니다:",
        "코드와 데이터는 프로젝트 저장소에서 확인할 수 있습니다.",
        "저희는 Owl을 제안합니다.",
        "이 연구가 앞으로의 연구에 도움이 되기를 기대합니다.",
        "Large models have achieved remarkable success in recent years.",
        "Why do language models learn better at night?",
        "In this paper, we propose the following three rules:",
        "We propose Owl.",
        "Our code and data are publicly available.",
        "We hope that this work facilitates future research on learning at night.",
        "However, training at night remains a challenging problem for large models.",
        "In this paper we introduce Owl, which trains",
        "We introduce Owl, a scheduler that (as we shall see trains at night and rests by day.",
        "We introduce Owl, a scheduler that trains at night, by $\\alpha{x$ of all nights.",
    ],
)
def test_a_problem_a_question_an_announcement_or_a_fragment_is_no_gist(text: str) -> None:
    assert gist_of(text) == gist_of("", text) == ""


def test_a_sentence_beyond_the_limit_is_no_gist_and_is_not_cut() -> None:
    limit = MAX_CHARACTERS[TextLanguage.KO]
    fitting = "밤에 배우는 방법을" + " 정말" * ((limit - 17) // 3) + " 제안합니다."
    assert len(fitting) <= limit
    assert gist_of(fitting) == fitting
    assert gist_of(fitting.replace("밤에", "밤에만 조용히")) == ""
    english = "We introduce Owl, a scheduler that trains language models " + "and rests " * 20 + "at night."
    assert len(english) > MAX_CHARACTERS[TextLanguage.EN]
    assert gist_of("", english) == ""


def test_a_list_item_gives_a_sentence_without_its_bold_lead() -> None:
    lead, rest = (
        TextRun("밤에 배우기", bold=True),
        " - Owl은 전기가 남는 밤에만 학습하여 비용을 41% 줄입니다. 낮에는 쉽니다.",
    )
    item = Block("li", (lead, TextRun(rest)))
    assert (
        gist_of([*blocks("주요 내용은 다음과 같습니다:"), item])
        == "Owl은 전기가 남는 밤에만 학습하여 비용을 41% 줄입니다."
    )


def test_a_gist_has_no_emoji_no_format_and_no_latex() -> None:
    runs = (
        TextRun("We introduce "),
        TextRun("\\textbf{Owl}", italic=True),
        TextRun(" 🦉, a ``quiet'' scheduler that trains at night on $n$ machines."),
    )
    assert (
        gist_of("", [Block("p", runs)])
        == "We introduce Owl , a “quiet” scheduler that trains at night on n machines."
    )


def test_a_power_written_with_asterisks_keeps_its_number() -> None:
    assert "210" not in gist_of(
        "", "We introduce Owl, a scheduler that trains models on 2**10 machines during the night."
    )


def test_a_line_break_inside_a_sentence_neither_joins_nor_cuts_it() -> None:
    assert (
        gist_of("", "We introduce Owl, a scheduler that trains language models\nwhile power is cheap.") == ""
    )
    assert gist_of(
        "", "Owl works.\nWe introduce Owl, a scheduler that trains models while power is cheap."
    ).startswith("We")


def test_the_paper_that_a_sentence_names_comes_before_others() -> None:
    first, second = (
        f"We introduce {name}, a part of a system that trains language models at night."
        for name in ("Beak", "Owl")
    )
    assert gist_of("", f"{first} {second}", "부엉이 / Owl: Learning at Night") == second


@pytest.mark.parametrize("edited", [False, True])
def test_every_paper_of_the_sample_posts_has_a_gist_in_both_languages(edited: bool) -> None:
    posts = [
        parse(week.title, cook_week(week, "https://forum.example"), URL) for week in weeks(edited=edited)
    ]
    papers = [paper for post in posts for paper in with_gists(post).papers]
    assert len(papers) > 20
    assert [paper.name for paper in papers if not (paper.gist_ko and paper.gist_en)] == []
