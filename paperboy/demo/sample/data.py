"""Loads the sample weeks from weeks/*.toml, as they are before or after the edit of their post."""

import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any

LIST_ITEM_PREFIX = "- "  # a block that begins with it is a list item, any other one is a paragraph


@dataclass(frozen=True)
class SamplePaper:
    """One paper of a sample week. Its texts are blocks with the markup of the module `markup`.

    `more` are the URLs under "더 읽어보기", and `pictures` is the number of pictures. With `loose_lists` the
    list items hold paragraphs. With `inline_link` the link is part of a paragraph instead of a onebox.
    """

    title_ko: str
    title_en: str
    link: str
    intro_ko: tuple[str, ...]
    abstract_ko: tuple[str, ...]
    abstract_en: tuple[str, ...]
    intro_en: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    pictures: int = 0
    loose_lists: bool = False
    inline_link: bool = False


@dataclass(frozen=True)
class SampleWeek:
    """One weekly post: its texts, and the details in which posts of its time differ from others.

    `newsletter` is the URL of the original newsletter, which only the posts of spring 2025 name.
    """

    topic_id: int
    post_id: int
    slug: str
    title: str
    start: date
    end: date
    created_at: datetime
    updated_at: datetime
    version: int
    likes: int
    tags: tuple[str, ...]
    abstract_label: str
    rules_between_papers: bool
    newsletter: str
    overview: tuple[str, ...]
    summary: tuple[str, ...]
    papers: tuple[SamplePaper, ...]


@cache
def weeks(*, edited: bool = False) -> tuple[SampleWeek, ...]:
    """All sample weeks in the order of their dates, with the edits of their posts if `edited` is true."""
    files = (resources.files("paperboy.demo.sample") / "weeks").iterdir()
    raws = (tomllib.loads(file.read_text(encoding="utf-8")) for file in files if file.name.endswith(".toml"))
    found = (_week(raw, edited=edited) for raw in raws)
    return tuple(sorted(found, key=lambda week: week.start))


def _week(raw: dict[str, Any], *, edited: bool) -> SampleWeek:
    edit = raw.pop("edit", None)
    raw |= {"updated_at": raw["created_at"], "version": 1}
    if edit and edited:
        # Discourse keeps the time of creation, and counts the versions of a post.
        raw |= {"updated_at": edit["at"], "version": 2, "papers": _edited_papers(raw["papers"], edit)}
    papers = tuple(SamplePaper(**_frozen(paper)) for paper in raw.pop("papers"))
    return SampleWeek(**_frozen(raw), papers=papers)


def _edited_papers(papers: list[dict[str, Any]], edit: dict[str, Any]) -> list[dict[str, Any]]:
    by_title = {paper["title_en"]: paper for paper in papers}
    for correction in edit["corrections"]:
        paper, field = by_title[correction["paper"]], correction["field"]
        paper[field] = _corrected(paper[field], correction["old"], correction["new"])
    return [*papers, *edit["papers"]]


def _corrected(value: str | list[str], old: str, new: str) -> str | list[str]:
    if isinstance(value, str):
        return value.replace(old, new)
    return [text.replace(old, new) for text in value]


def _frozen(raw: dict[str, Any]) -> dict[str, Any]:
    """The same values with tuples in place of lists, as the dataclasses hold them."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
