"""The problems of a post name what is missing from it and what cannot be parsed."""

from dataclasses import replace

import pytest

from tests.support.parsed_posts import parsed_paper, parsed_post
from tests.support.post_html import FOOTER, paper_html


def problems(*papers: str, **parts: str) -> str:
    return "\n".join(parsed_post(*papers, **parts).problems)


def test_a_post_without_papers_is_a_problem() -> None:
    assert problems("<p>곧 올리겠습니다.</p>") == "no paper was found"


@pytest.mark.parametrize(
    ("html", "missing"),
    [
        (paper_html(abstract="<p>Only English.</p>"), "Korean abstract"),
        (paper_html(intro=""), "Korean introduction"),
        (paper_html(intro="", link="<p>곧</p>"), "Korean introduction, no link"),
        (paper_html(link="<p>곧 추가합니다.</p>"), "link"),
        (paper_html(link='<p><a href="javascript:alert(1)">논문</a></p>'), "link"),
    ],
)
def test_a_missing_part_of_a_paper_is_a_problem_that_names_it(html: str, missing: str) -> None:
    assert f"paper 2 (Owl) has no {missing}" in problems(paper_html("매 / Hawk"), html)


def test_a_paper_whose_introduction_label_is_missing_is_not_merged_into_its_neighbour() -> None:
    broken = paper_html("매 / Hawk").replace("논문 소개", "소개글")
    for papers in ((paper_html(), broken), (broken, paper_html())):
        content = parsed_post(*papers)
        assert {paper.title_en for paper in content.papers} == {"Owl", "Hawk"}
        (owl,) = (paper for paper in content.papers if paper.title_en == "Owl")
        assert replace(owl, anchor="") == replace(parsed_paper(paper_html()), anchor="")


def test_a_long_text_after_the_papers_is_no_problem_but_the_closing() -> None:
    unknown = "알 수 없는 긴 글입니다. " * 40
    content = parsed_post(ending=f"<hr><p>{unknown}</p>" + FOOTER)
    assert content.problems == ()
    assert [block.text for block in content.closing] == [unknown.strip()]


def test_the_ending_of_the_post_inside_a_paper_is_a_problem() -> None:
    assert "ending" in problems(paper_html(intro="<p>소개.</p>" + FOOTER))
