"""Two issues of different years for tests of the archive, and pages as trees of elements."""

from datetime import date

import httpx
from selectolax.lexbor import LexborHTMLParser

from tests.support.factories import add_issue, blocks, issue_of, paper
from tests.support.site import Site


def parsed(answer: httpx.Response) -> LexborHTMLParser:
    assert answer.status_code == 200
    return LexborHTMLParser(answer.text)


def add_issues(site: Site) -> None:
    """Two issues of different years, with topics of the forum."""
    hourglass = paper(
        1,
        title_ko="모래시계 신경망",
        title_en="Hourglass Networks: Ünïted Café",
        intro_ko=blocks("전문가혼합 모델을 다룹니다."),
        url="https://arxiv.org/abs/2501.00042v2",
    )
    with site.database.sessions.begin() as session:
        for topic_id, papers, start, tags in (
            (8101, [hourglass, paper(2)], date(2025, 1, 6), ["paper", "hourglass"]),
            (
                8102,
                [paper(3), paper(4, url="https://huggingface.co/papers/2501.00042")],
                date(2026, 1, 5),
                [],
            ),
        ):
            issue = add_issue(session, issue_of(papers, start=start), topic_id=topic_id, now=site.clock())
            issue.tags = tags
            for position, row in enumerate(issue.papers):
                row.position = position
