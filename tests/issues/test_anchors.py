"""A paper's anchor is the name that the forum gave to its heading on the post's page."""

import pytest
from selectolax.lexbor import LexborHTMLParser

from issues.parse.post import parse
from paperboy.demo.sample.cook import cook_week
from paperboy.demo.sample.data import weeks
from tests.support.post_html import TITLE, URL, heading, paper_html, post_html


@pytest.mark.parametrize("topic_id", [week.topic_id for week in weeks()])
def test_each_paper_has_the_anchor_of_its_heading_on_the_posts_page(topic_id: int) -> None:
    week = next(week for week in weeks() if week.topic_id == topic_id)
    html = cook_week(week, "https://forum.example")
    papers = parse(week.title, html, URL).papers
    assert len({paper.anchor for paper in papers}) == len(papers)
    for paper in papers:
        (link,) = LexborHTMLParser(html).css(f'a.anchor[name="{paper.anchor}"]')
        heading = link.parent
        assert heading
        assert (paper.title_en or paper.title_ko) in heading.text()


@pytest.mark.parametrize(
    "name", ["", "top", "제목", "p-1-a b", "p-1-a&#34;onclick=x", "p-1-a#b", "p-1-../x", "p-1-" + "x" * 300]
)
def test_an_anchor_that_the_forum_did_not_make_is_ignored(name: str) -> None:
    html = post_html(paper_html()).replace("p-1-h-1", name)
    (paper,) = parse(TITLE, html, URL).papers
    assert (paper.title_en, paper.anchor) == ("Owl", "")


def test_a_paper_whose_title_is_not_a_heading_has_no_anchor() -> None:
    html = post_html(paper_html().replace(heading("올빼미 / Owl", 2), "<p>올빼미 / Owl</p>"))
    (paper,) = parse(TITLE, html, URL).papers
    assert (paper.title_en, paper.anchor) == ("Owl", "")
