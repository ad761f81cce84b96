"""What the format does not know is mailed in its place, or holds the issue if a paper may be lost."""

import pytest

from tests.support.parsed_posts import parsed_paper, parsed_post, simplified_texts
from tests.support.post_html import FOOTER, GREETING, heading, onebox, paper_html

HAWK = paper_html("매 / Hawk")


def problems(*papers: str, **parts: str) -> str:
    return "\n".join(parsed_post(*papers, **parts).problems)


def test_an_unknown_heading_inside_a_paper_becomes_a_section_with_its_heading() -> None:
    section = heading("핵심 아이디어") + "<p>작은 모델을 씁니다.</p>"
    paper = parsed_paper(paper_html().replace(heading("논문 링크"), section + heading("논문 링크")))
    (found,) = paper.sections
    assert (found.heading, found.after) == ("핵심 아이디어", "abstract")
    assert simplified_texts(found.ko) == ["작은 모델을 씁니다."]


def test_an_unknown_heading_of_a_papers_rank_opens_a_paper_that_looks_like_one() -> None:
    odd = (
        heading("올빼미 / Owl", 2)
        + heading("한눈에 보기")
        + "<p>밤에 배우는 모델을 소개합니다.</p>"
        + '<p><a href="https://arxiv.org/abs/2506.00001">https://arxiv.org/abs/2506.00001</a></p>'
    )
    content = parsed_post(HAWK, odd)
    assert [paper.title_en for paper in content.papers] == ["Hawk", "Owl"]
    assert content.problems == ()


@pytest.mark.parametrize("before", [True, False])
def test_an_unknown_heading_of_a_papers_rank_that_opens_none_holds_the_issue(before: bool) -> None:
    chapter = heading("이번 주의 도구", 2) + "<p>도구 하나를 소개합니다.</p>"
    if before:
        found = problems(paper_html(), HAWK, front=GREETING + chapter)
        assert "before the first paper, “이번 주의 도구”" in found
    else:
        found = problems(paper_html() + chapter + HAWK)
        assert "in or after paper 1 (올빼미 / Owl), “이번 주의 도구”" in found


def test_a_closing_section_goes_out_after_the_papers() -> None:
    closing = "<hr>" + heading("마치며", 2) + "<p>다음 주에 뵙겠습니다.</p>" + FOOTER
    content = parsed_post(paper_html(), HAWK, ending=closing)
    assert simplified_texts(content.closing) == ["마치며", "다음 주에 뵙겠습니다."]
    assert content.problems == ()


def test_a_paper_without_its_title_holds_the_issue_and_names_the_place() -> None:
    found = problems(paper_html(), HAWK.split("</h2>\n", 1)[1])
    assert "in or after paper 1 (올빼미 / Owl), “논문 소개” belongs to no paper that has a title" in found


def test_a_bold_title_with_a_picture_below_it_opens_a_paper() -> None:
    picture = '<p><img src="https://forum.example/a.png" alt="" width="600" height="400"></p>'
    bold = HAWK.replace(heading("매 / Hawk", 2), f"<p><strong>매 / Hawk</strong></p>{picture}{picture}")
    content = parsed_post(paper_html(), bold)
    assert [paper.title_en for paper in content.papers] == ["Owl", "Hawk"]
    assert content.problems == ()


def test_a_label_that_is_there_twice_around_a_picture_opens_no_paper() -> None:
    label = heading("논문 초록(Abstract)")
    picture = '<p><img src="https://forum.example/a.png" alt="" width="600" height="400"></p>'
    content = parsed_post(paper_html().replace(label, f"{label}{picture}<hr>{label}"), HAWK)
    assert [paper.title_en for paper in content.papers] == ["Owl", "Hawk"]
    assert content.problems == ()


def test_a_text_between_two_papers_holds_the_issue() -> None:
    assert "belongs to none" in problems(paper_html() + "<hr><p>어디에도 속하지 않는 글입니다.</p>" + HAWK)


@pytest.mark.parametrize(
    "front",
    [
        GREETING + "<p>이번 주 논문 3편은 작은 모델을 다룹니다.</p>",
        GREETING + "<p>총 3편의 논문을 골랐습니다.</p>",
        GREETING + heading("논문별 핵심 요약", 2) + "<ul><li>하나</li><li>둘</li><li>셋</li></ul>",
    ],
)
def test_a_post_that_states_another_number_of_papers_is_held(front: str) -> None:
    assert "says 3 papers, but 2 were found" in problems(paper_html(), HAWK, front=front)
    assert problems(paper_html(), HAWK, paper_html("참새 / Sparrow"), front=front) == ""


def test_a_number_of_some_of_the_papers_is_not_taken_for_that_of_all() -> None:
    assert problems(paper_html(), HAWK, front=GREETING + "<p>이 가운데 5편이 에이전트를 다룹니다.</p>") == ""


def test_a_paper_that_is_there_twice_with_two_texts_holds_the_issue() -> None:
    again = paper_html(intro="<p>다른 소개입니다.</p>")
    assert "is in the post twice, with different texts" in problems(paper_html(), again)


@pytest.mark.parametrize("title", ["Split Memory for Read / Write Agents", "추론을 위한 CPU / GPU"])
def test_a_title_in_one_language_with_a_slash_stays_whole(title: str) -> None:
    paper = parsed_paper(paper_html(title))
    assert title in {paper.title_ko, paper.title_en}
    assert "" in {paper.title_ko, paper.title_en}


@pytest.mark.parametrize(
    "text",
    [
        "파이토치 한국 사용자 모임이 7월 1일 밋업을 엽니다. 신청은 누리집에서 받습니다.",
        "다음 주에는 쉽니다! 그다음 주에 더 많은 논문으로 찾아뵙겠습니다. " * 3
        + "아래의 좋아요를 눌러 주세요.",
        "GPT-4o는 긴 원문을 나누어 읽습니다.",
    ],
)
def test_a_text_that_only_resembles_the_usual_ending_is_kept(text: str) -> None:
    content = parsed_post(paper_html(), ending=f"<hr><p>{text}</p>" + FOOTER)
    assert simplified_texts(content.closing) == [" ".join(text.split())]


@pytest.mark.parametrize(
    "label", ["논문 소개 (Introduction)", "1. 논문 소개", "Introduction", "📖 논문 소개:"]
)
def test_a_label_is_known_with_a_number_a_bracket_or_in_english(label: str) -> None:
    paper = parsed_paper(paper_html().replace("논문 소개</h3>", f"{label}</h3>"))
    assert (len(paper.intro_ko), paper.sections) == (1, ())


def test_a_title_that_stands_there_twice_leaves_nothing_in_the_paper_before_it() -> None:
    title = heading("매 / Hawk", 2)
    content = parsed_post(paper_html(), HAWK.replace(title, title + title))
    assert [paper.notes for paper in content.papers] == [(), ()]
    assert content.problems == ()


def test_a_post_with_more_papers_than_any_week_is_held_as_a_whole() -> None:
    found = problems(*(paper_html(f"논문 {number} / Paper {number}") for number in range(120)))
    assert "the post has 120 papers" in found


def test_a_summary_after_the_papers_goes_out_after_them_and_one_among_them_is_a_doubt() -> None:
    summary = (
        heading("논문별 핵심 요약", 2)
        + "<ul><li>올빼미는 밤에 배웁니다.</li><li>매는 낮에 배웁니다.</li></ul>"
    )
    for rule in ("<hr>", ""):
        content = parsed_post(paper_html(), HAWK, ending=rule + summary + FOOTER)
        assert (content.papers[1].sections, content.papers[1].notes) == ((), ())
        assert simplified_texts(content.closing)[-2:] == ["올빼미는 밤에 배웁니다.", "매는 낮에 배웁니다."]
    assert "stands among the papers and belongs to none" in problems(paper_html() + summary + HAWK)


def test_a_paper_that_hides_under_a_bold_line_of_another_one_holds_the_issue() -> None:
    hidden = "<p><strong>둘째 논문 / Second Paper</strong></p><p>이 논문도 소개합니다.</p>" + onebox(
        "https://arxiv.org/abs/2506.77777"
    )
    assert "“둘째 논문 / Second Paper” may be the title of a paper" in problems(paper_html() + hidden, HAWK)
