"""The sample weeks as data, read from weeks/*.toml, before and after their edit."""

import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any

# A block is a paragraph, or a list item if it begins with this.
ITEM = "- "


@dataclass(frozen=True)
class Paper:
    """One paper of a week; the texts hold the inline markup."""

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
class Week:
    """One weekly post: its texts, and what is particular to the shape of its time."""

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
    papers: tuple[Paper, ...]


@cache
def weeks(*, edited: bool = False) -> tuple[Week, ...]:
    """All sample weeks in order of date."""
    files = (resources.files("paperboy.demo.sample") / "weeks").iterdir()
    raws = (tomllib.loads(file.read_text(encoding="utf-8")) for file in files if file.name.endswith(".toml"))
    found = (_week(raw, edited=edited) for raw in raws)
    return tuple(sorted(found, key=lambda week: week.start))


def _week(raw: dict[str, Any], *, edited: bool) -> Week:
    edit = raw.pop("edit", None)
    raw |= {"updated_at": raw["created_at"], "version": 1}
    if edit and edited:
        raw |= {"updated_at": edit["at"], "version": 2, "papers": _edited_papers(raw["papers"], edit)}
    papers = tuple(Paper(**_frozen(paper)) for paper in raw.pop("papers"))
    return Week(**_frozen(raw), papers=papers)


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
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}
