"""Support for tests of the parser: parses posts, and simplifies their texts to compare them with the ground truth."""

import re
from collections.abc import Sequence
from typing import Any

from issues.parse.content import IssueContent, PaperContent
from issues.parse.post import parse
from issues.parse.text import Block, strip_emoji
from tests.support.post_html import TITLE, URL, post_html


def parsed_post(*papers: str, **parts: str) -> IssueContent:
    """The content of a post with the HTML of these papers. `parts` are passed on to `post_html`."""
    return parse(TITLE, post_html(*papers, **parts), URL)


def parsed_paper(html: str, **parts: str) -> PaperContent:
    """The content of a post's only paper. The post must have no problems."""
    content = parsed_post(html, **parts)
    assert content.problems == ()
    assert len(content.papers) == 1
    return content.papers[0]


def simplified(text: str) -> str:
    """A text without emoji, their shortcodes and repeated spaces."""
    return " ".join(re.sub(r":[a-z0-9_+]+:", "", strip_emoji(text)).split())


def simplified_texts(blocks: Sequence[Block]) -> list[str]:
    """The simplified texts of blocks."""
    return [simplified(block.text) for block in blocks]


def types_and_texts(blocks: Sequence[Block]) -> list[dict[str, str]]:
    """The types and simplified texts of blocks, as the ground truth has them."""
    return [{"type": block.type, "text": simplified(block.text)} for block in blocks]


def as_truth(content: IssueContent) -> dict[str, Any]:
    """The content of a post in the form of the ground truth (`paperboy.demo.sample.truth`)."""
    return {
        "title": content.title,
        "week_start": content.week.start.isoformat(),
        "week_end": content.week.end.isoformat(),
        "overview_ko": simplified_texts(content.overview),
        "summary_ko": simplified_texts(content.summary),
        "papers": [
            {
                "title_ko": simplified(paper.title_ko),
                "title_en": simplified(paper.title_en),
                "intro_ko": types_and_texts(paper.intro_ko),
                "intro_en": types_and_texts(paper.intro_en),
                "abstract_ko": simplified_texts(paper.abstract_ko),
                "abstract_en": simplified_texts(paper.abstract_en),
                "paper_url": paper.url,
                "more_urls": [link.url for link in paper.links],
            }
            for paper in content.papers
        ],
    }


def simplified_truth(value: Any) -> Any:
    """The ground truth, or a part of it, with simplified texts. URLs stay as they are."""
    if isinstance(value, str):
        return value if value.startswith("https://") else simplified(value)
    if isinstance(value, list):
        return [simplified_truth(item) for item in value]
    return {key: simplified_truth(item) for key, item in value.items()}
