"""Posts as the parser reads them, in the form in which forums write down what should be read."""

import re
from collections.abc import Sequence
from typing import Any

from issues.parse.post import IssueContent, PaperContent, parse
from issues.parse.text import Block, without_emoji
from tests.support.post_html import ADDRESS, TITLE, post_html


def read(*papers: str, **around: str) -> IssueContent:
    """A post of these papers, as it was read."""
    return parse(TITLE, post_html(*papers, **around), ADDRESS)


def only(html: str, **around: str) -> PaperContent:
    """The single paper of a post, which has no problems."""
    content = read(html, **around)
    assert content.problems == ()
    assert len(content.papers) == 1
    return content.papers[0]


def plain(text: str) -> str:
    """A text without emoji, their names, stray stars and doubled spaces."""
    return " ".join(re.sub(r":[a-z0-9_+]+:", "", without_emoji(text)).split())


def texts(blocks: Sequence[Block]) -> list[str]:
    return [plain(block.text) for block in blocks]


def typed(blocks: Sequence[Block]) -> list[dict[str, str]]:
    return [{"type": block.type, "text": plain(block.text)} for block in blocks]


def as_truth(content: IssueContent) -> dict[str, Any]:
    """What was read, in the form of the sample's truth."""
    return {
        "title": content.title,
        "week_start": content.week.start.isoformat(),
        "week_end": content.week.end.isoformat(),
        "overview_ko": texts(content.overview),
        "summary_ko": texts(content.summary),
        "papers": [
            {
                "title_ko": plain(paper.title_ko),
                "title_en": plain(paper.title_en),
                "intro_ko": typed(paper.intro_ko),
                "intro_en": typed(paper.intro_en),
                "abstract_ko": texts(paper.abstract_ko),
                "abstract_en": texts(paper.abstract_en),
                "paper_url": paper.url,
                "more_urls": [link.url for link in paper.links],
            }
            for paper in content.papers
        ],
    }


def in_plain(value: Any) -> Any:
    """The truth with every text but the addresses in its plain form."""
    if isinstance(value, str):
        return value if value.startswith("https://") else plain(value)
    if isinstance(value, list):
        return [in_plain(item) for item in value]
    return {key: in_plain(item) for key, item in value.items()}
