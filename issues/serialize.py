"""Revisions, papers and diffs as the JSON values that are stored, and back."""

from dataclasses import asdict, replace
from datetime import date
from typing import Any

from core.languages import TextLanguage
from issues.diff import IssueDiff
from issues.gist import with_gists, with_own_gists
from issues.models import Paper, Revision
from issues.parse.content import IssueContent, Link, PaperContent, Picture, Section
from issues.parse.text import from_json, to_json
from issues.parse.weeks import Week

_BLOCKS = (*(f"{name}_{language}" for name in ("intro", "abstract") for language in TextLanguage), "notes")
_INTERNAL = {"pairs", "touched"}  # indices of a diff that mean nothing once it has been applied


def paper_to_json(paper: PaperContent) -> dict[str, Any]:
    """A paper as JSON values. `paper_content` reads it back."""
    value = asdict(paper) | {name: to_json(getattr(paper, name)) for name in _BLOCKS}
    return value | {
        "sections": [
            {"heading": section.heading, "after": section.after}
            | {"ko": to_json(section.ko), "en": to_json(section.en)}
            for section in paper.sections
        ],
        "links": [asdict(link) for link in paper.links],
        "pictures": [asdict(picture) for picture in paper.pictures],
    }


def _paper_from_json(value: dict[str, Any]) -> PaperContent:
    blocks = {name: from_json(value[name]) for name in _BLOCKS}
    links = tuple(Link(**link) for link in value["links"])
    pictures = tuple(Picture(**picture) for picture in value["pictures"])
    sections = tuple(_section_from_json(section) for section in value.get("sections", ()))
    return PaperContent(**{**value, **blocks, "links": links, "pictures": pictures, "sections": sections})


def _section_from_json(value: dict[str, Any]) -> Section:
    return Section(value["heading"], value["after"], from_json(value["ko"]), from_json(value["en"]))


def paper_content(row: Paper) -> PaperContent:
    """The content of a stored paper. A row from before there were gists gets those of the paper's own texts."""
    paper = _paper_from_json(row.content)
    return paper if _has_gists(row.content) else with_own_gists(paper)


def _has_gists(value: dict[str, Any]) -> bool:
    return all(f"gist_{language}" in value for language in TextLanguage)


def issue_to_json(content: IssueContent) -> dict[str, Any]:
    """A parsed issue as JSON values. `revision_content` reads it back."""
    return {
        "title": content.title,
        "week_start": content.week.start.isoformat(),
        "week_end": content.week.end.isoformat(),
        "overview": to_json(content.overview),
        "summary": to_json(content.summary),
        "papers": [paper_to_json(paper) for paper in content.papers],
        "closing": to_json(content.closing),
        "pictures": [asdict(picture) for picture in content.pictures],
    }


def revision_content(revision: Revision) -> IssueContent:
    """The content of a stored revision."""
    return replace(content_from_json(revision.content), problems=tuple(revision.problems))


def content_from_json(value: dict[str, Any]) -> IssueContent:
    """A parsed issue from what `issue_to_json` wrote, now or before there were gists."""
    content = IssueContent(
        title=value["title"],
        week=Week(date.fromisoformat(value["week_start"]), date.fromisoformat(value["week_end"])),
        overview=from_json(value["overview"]),
        summary=from_json(value["summary"]),
        papers=tuple(_paper_from_json(paper) for paper in value["papers"]),
        closing=from_json(value.get("closing", [])),
        pictures=tuple(Picture(**picture) for picture in value.get("pictures", ())),
    )
    return content if all(_has_gists(paper) for paper in value["papers"]) else with_gists(content)


def diff_to_json(changes: IssueDiff) -> dict[str, Any]:
    """A diff as JSON values, without the indices that its application needed."""
    return {name: value for name, value in asdict(changes).items() if name not in _INTERNAL}
