"""A paper without its heading, or a heading that only lists papers, holds the issue instead of hiding in another paper."""

import pytest

from tests.support.parsed_posts import parsed_post, simplified_texts
from tests.support.post_html import FOOTER, GREETING, heading, onebox, paper_html

OWL, HAWK = paper_html(), paper_html("매 / Hawk")
SECOND = "https://arxiv.org/abs/2506.77777"
TEXTS = (
    "<p>물 위에서 배우는 모델을 소개합니다. 먼저 떠다니는 자료를 모으고, 그다음 흐름에 맞추어 조금씩 학습합니다.</p>\n"
    "<blockquote><p>We introduce a model that learns on water. It first collects what floats by, and then it trains "
    "a little with every wave that passes.</p></blockquote>\n"
)


def problems(*papers: str, **parts: str) -> str:
    return "\n".join(parsed_post(*papers, **parts).problems)


@pytest.mark.parametrize(
    "hidden",
    [
        f"<p><strong>해달 / Otter</strong></p>{TEXTS}<p>논문 링크: <a href='{SECOND}'>{SECOND}</a></p>",
        f"<p><strong>해달 / Otter</strong></p><p><strong>논문 소개</strong>: 짧은 글.</p><p>arXiv {SECOND}</p>",
        f"<p><a href='{SECOND}'><strong>해달 / Otter</strong></a></p>{TEXTS}",
        f"<p><strong>Otter: Learning on Water</strong></p>{TEXTS}{onebox(SECOND)}",
        f"<p>해달 / Otter</p>{TEXTS}{onebox(SECOND)}",
        f"<ol start='2'><li><strong>해달 / Otter</strong><br>\n물 위에서 배웁니다. <a href='{SECOND}'>arXiv</a></li></ol>",
        heading("Otter: Learning on Water", 4) + TEXTS + onebox(SECOND),
        heading("해달: 물 위의 학습") + TEXTS + onebox(SECOND),
    ],
    ids=range(8),
)
@pytest.mark.parametrize("rule", ["<hr>\n", ""])
def test_a_paper_without_its_heading_is_not_mailed_as_a_part_of_the_one_before_it(
    hidden: str, rule: str
) -> None:
    assert "paper" in problems(OWL + rule + hidden + rule + HAWK)


def test_a_first_paper_without_its_heading_is_not_mailed_as_the_overview() -> None:
    hidden = f"<p><strong>해달 / Otter</strong></p>{TEXTS}{onebox(SECOND)}<hr>"
    assert "“해달 / Otter” may be the title of a paper" in problems(OWL, HAWK, front=GREETING + hidden)


def test_a_list_of_the_titles_before_the_papers_is_a_part_of_the_overview() -> None:
    titles = "".join(
        f"<p><strong>{name}</strong></p>{onebox(SECOND)}" for name in ("올빼미 / Owl", "매 / Hawk")
    )
    content = parsed_post(OWL, HAWK, front=GREETING + titles)
    assert content.problems == ()
    assert simplified_texts(content.overview)[1:] == ["올빼미 / Owl", SECOND, "매 / Hawk", SECOND]


def test_a_last_paper_without_labels_and_a_link_is_not_mailed_as_the_closing() -> None:
    last = "<hr>" + heading("Otter: Learning on Water", 2) + TEXTS + "<hr>" + FOOTER
    assert "“Otter: Learning on Water” begins neither" in problems(OWL, HAWK, ending=last)


@pytest.mark.parametrize("title", ["이번 주 논문 목록", "지난주에는 / Last week"])
@pytest.mark.parametrize("is_before", [True, False])
def test_a_heading_that_lists_several_papers_is_no_paper(title: str, is_before: bool) -> None:
    entries = "".join(
        f'<li><a href="https://arxiv.org/abs/2505.1000{n}">논문 {n} / Paper {n}</a></li>' for n in range(5)
    )
    listed = heading(title, 2) + f"<ul>{entries}</ul><hr>"
    content = (
        parsed_post(OWL, HAWK, front=GREETING + listed)
        if is_before
        else parsed_post(OWL, HAWK, ending="<hr>" + listed + FOOTER)
    )
    assert [paper.title_en for paper in content.papers] == ["Owl", "Hawk"]
    assert f"“{title}” begins neither a paper" in "\n".join(content.problems)


def test_papers_that_an_open_fence_of_code_swallows_hold_the_issue() -> None:
    code = "<pre><code>## 해달 / Otter\n### 논문 소개\n글입니다.\n### 논문 링크\n" + SECOND + "</code></pre>"
    assert "is code that holds the labels of a paper" in problems(OWL, HAWK + code)
    assert (
        problems(OWL, HAWK.replace("<p>밤에", "<pre><code>논문 = load('논문 링크')</code></pre><p>밤에"))
        == ""
    )


def test_two_papers_under_one_heading_are_told_by_their_links() -> None:
    first = "https://arxiv.org/pdf/2506.00001v2"
    both = paper_html("올빼미와 해달 / Owl and Otter", link=onebox(first) + onebox(SECOND))
    assert "may be 2 papers: it links to arxiv:2506.00001, arxiv:2506.77777" in problems(both, HAWK)
    one = paper_html(link=onebox(first) + onebox("https://huggingface.co/papers/2506.00001"))
    assert problems(one, HAWK) == ""


def test_short_texts_in_both_languages_among_the_links_hold_no_issue() -> None:
    more = "<p>코드는 곧 공개됩니다.</p><p>The weights will follow in autumn.</p>"
    content = parsed_post(paper_html(more=more), HAWK)
    assert (content.problems, len(content.papers[0].notes)) == ((), 2)
