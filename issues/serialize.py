"""What revisions and papers hold, as the JSON values that are stored, and back."""

from dataclasses import asdict
from datetime import date
from typing import Any

from issues.diff import Changes
from issues.models import Paper, Revision
from issues.parse.outline import Picture
from issues.parse.post import IssueContent, Link, PaperContent
from issues.parse.text import from_json, to_json
from issues.parse.titles import Week

_BLOCKS = ("intro_ko", "intro_en", "abstract_ko", "abstract_en", "notes")


def paper_to_json(paper: PaperContent) -> dict[str, Any]:
    """A paper as JSON values; `content_of_paper` reads it back."""
    value = asdict(paper) | {name: to_json(getattr(paper, name)) for name in _BLOCKS}
    return value | {
        "links": [asdict(link) for link in paper.links],
        "pictures": [asdict(p) for p in paper.pictures],
    }


def _paper_from_json(value: dict[str, Any]) -> PaperContent:
    blocks = {name: from_json(value[name]) for name in _BLOCKS}
    links = tuple(Link(**link) for link in value["links"])
    pictures = tuple(Picture(**picture) for picture in value["pictures"])
    return PaperContent(**{**value, **blocks, "links": links, "pictures": pictures})


def content_of_paper(row: Paper) -> PaperContent:
    """A stored paper's content."""
    return _paper_from_json(row.content)


def content_to_json(content: IssueContent) -> dict[str, Any]:
    """A parsed issue as JSON values; `content_of` reads it back."""
    return {
        "title": content.title,
        "week_start": content.week.start.isoformat(),
        "week_end": content.week.end.isoformat(),
        "overview": to_json(content.overview),
        "summary": to_json(content.summary),
        "papers": [paper_to_json(paper) for paper in content.papers],
    }


def content_of(revision: Revision) -> IssueContent:
    """A stored revision's content."""
    value = revision.content
    return IssueContent(
        title=value["title"],
        week=Week(date.fromisoformat(value["week_start"]), date.fromisoformat(value["week_end"])),
        overview=from_json(value["overview"]),
        summary=from_json(value["summary"]),
        papers=tuple(_paper_from_json(paper) for paper in value["papers"]),
        problems=tuple(revision.problems),
    )


def changes_to_json(changes: Changes) -> dict[str, Any]:
    """Changes as JSON values, without the pairing of rows."""
    value = asdict(changes)
    del value["pairs"]
    return value
