"""The ground truth for the parser: the content of the sample posts, from the data that they are made of."""

from typing import Any

from paperboy.demo.sample.data import LIST_ITEM_PREFIX, SamplePaper, SampleWeek, weeks
from paperboy.demo.sample.markup import to_plain


def expected(topic_id: int, edited: bool) -> dict[str, Any]:
    """The content of a weekly post, before or after its edit.

    Raises:
        KeyError: the topic is not a weekly post.
    """
    return _week({week.topic_id: week for week in weeks(edited=edited)}[topic_id])


def _week(week: SampleWeek) -> dict[str, Any]:
    return {
        "title": week.title,
        "week_start": week.start.isoformat(),
        "week_end": week.end.isoformat(),
        "overview_ko": _texts(week.overview),
        "summary_ko": _texts(week.summary),
        "papers": [_paper(paper) for paper in week.papers],
    }


def _paper(paper: SamplePaper) -> dict[str, Any]:
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
    types = ["li" if block.startswith(LIST_ITEM_PREFIX) else "p" for block in blocks]
    return [{"type": kind, "text": text} for kind, text in zip(types, _texts(blocks), strict=True)]


def _texts(blocks: tuple[str, ...]) -> list[str]:
    return [to_plain(block.removeprefix(LIST_ITEM_PREFIX)) for block in blocks]
