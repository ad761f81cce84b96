"""Papers of an issue that are sent again, grouped by the mails that brought them before.

The papers of a group came in the same editions, so they have the same fate.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from delivery.models import EditionRow
from emails.kinds import WITH_PAPERS
from issues.arrivals import Arrival
from issues.models import Issue, Paper
from issues.queries import papers_in_issue
from mailings.resend.request import ResendError

MAX_PAPER_GROUPS = 62  # bits of an integer in both databases


@dataclass(frozen=True)
class PaperGroup:
    """Papers (by number, in order) that came in the same `editions`; the `outdated` editions had an older text.

    Subscribers with a cursor before `last_arrival` get them with a digest. It is 0 if the papers are for the archive.
    """

    papers: tuple[int, ...]
    editions: frozenset[int]
    outdated: frozenset[int]
    last_arrival: int


def group_papers(session: Session, issue: Issue, *, only_corrected: bool = False) -> list[PaperGroup]:
    """The issue's papers in force (or only the corrected ones), grouped by the editions that brought them.

    Raises:
        ResendError: there are too many groups.
    """
    in_force = [paper for paper in issue.papers if paper.withdrawn_at is None]
    papers = {paper.number: paper for paper in in_force if paper.corrected_at or not only_corrected}
    editions: dict[int, set[int]] = {number: set() for number in papers}
    outdated: dict[int, set[int]] = {number: set() for number in papers}
    rows = select(EditionRow.id, EditionRow.papers, EditionRow.created_at)
    digests = rows.where(EditionRow.created_at >= issue.first_seen_at, EditionRow.kind.in_(WITH_PAPERS))
    for edition, numbers, created_at in session.execute(digests):
        for number in papers.keys() & set(numbers):
            editions[number].add(edition)
            if _was_corrected_after(papers[number], created_at):
                outdated[number].add(edition)
    alike: dict[tuple[frozenset[int], frozenset[int], bool], list[int]] = defaultdict(list)
    for number, paper in sorted(papers.items()):
        alike[frozenset(editions[number]), frozenset(outdated[number]), paper.archived].append(number)
    if len(alike) > MAX_PAPER_GROUPS:
        raise ResendError(f"the papers of the issue came in more than {MAX_PAPER_GROUPS} kinds of mails")
    return [
        PaperGroup(
            tuple(numbers), came_in, old, 0 if archived else max(papers[n].arrival_order for n in numbers)
        )
        for (came_in, old, archived), numbers in alike.items()
    ]


def read_until(session: Session, issue: Issue, papers: Sequence[PaperGroup]) -> datetime:
    """When the first edition with an older text of the papers was made; without one, when that text was still in force."""
    outdated = frozenset[int]().union(*(group.outdated for group in papers))
    first = session.scalar(select(func.min(EditionRow.created_at)).where(EditionRow.id.in_(outdated)))
    if first:
        return first
    numbers = {number for group in papers for number in group.papers}
    corrections = [
        paper.corrected_at for paper in issue.papers if paper.number in numbers and paper.corrected_at
    ]
    return min(corrections) - timedelta(microseconds=1)


def _was_corrected_after(paper: Paper, moment: datetime) -> bool:
    return paper.corrected_at is not None and moment < paper.corrected_at


def papers_of_groups(issue: Issue, groups: Sequence[PaperGroup]) -> list[Arrival]:
    """The papers of the groups, in the order of the post."""
    numbers = {number for group in groups for number in group.papers}
    return [arrival for arrival in papers_in_issue(issue) if arrival.number in numbers]


def groups_in(groups: Sequence[PaperGroup], mask: int) -> list[PaperGroup]:
    """The groups of papers that a mask stands for."""
    return [group for bit, group in enumerate(groups) if mask >> bit & 1]
