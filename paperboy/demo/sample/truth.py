"""What a parser should recover from the sample posts, from the same data they are cooked from."""

from typing import Any

from paperboy.demo.sample.data import ITEM, Paper, Week, weeks
from paperboy.demo.sample.markup import to_plain


def expected(topic_id: int, edited: bool) -> dict[str, Any]:
    """The content of one weekly post; KeyError if the topic is no weekly post."""
    return _week({week.topic_id: week for week in weeks(edited=edited)}[topic_id])


def _week(week: Week) -> dict[str, Any]:
    return {
        "title": week.title,
        "week_start": week.start.isoformat(),
        "week_end": week.end.isoformat(),
        "overview_ko": _texts(week.overview),
        "summary_ko": _texts(week.summary),
        "papers": [_paper(paper) for paper in week.papers],
    }


def _paper(paper: Paper) -> dict[str, Any]:
    return {
        "title_ko": paper.title_ko,
        "title_en": paper.title_en,
        "intro_ko": _blocks(paper.intro_ko),
        "intro_en": _blocks(paper.intro_en),
        "abstract_ko": _texts(paper.abstract_ko),
        "abstract_en": _texts(paper.abstract_en),
        "paper_url": paper.link,
        "more_urls": list(paper.more),
    }


def _blocks(blocks: tuple[str, ...]) -> list[dict[str, str]]:
    types = ["li" if block.startswith(ITEM) else "p" for block in blocks]
    return [{"type": kind, "text": text} for kind, text in zip(types, _texts(blocks), strict=True)]


def _texts(blocks: tuple[str, ...]) -> list[str]:
    return [to_plain(block.removeprefix(ITEM)) for block in blocks]
