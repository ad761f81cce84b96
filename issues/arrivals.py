"""Papers in their order of arrival, each with what a mail says about its issue. Plain values."""

from dataclasses import dataclass

from issues.parse.content import PaperContent
from issues.parse.text import Block
from issues.parse.titles import Week


@dataclass(frozen=True)
class IssueFacts:
    """What a digest says about an issue.

    `first_number` is the lowest arrival number of its papers, `papers` counts those in force.
    """

    topic_id: int
    week: Week
    url: str
    overview: tuple[Block, ...]
    summary: tuple[Block, ...]
    first_number: int
    papers: int


@dataclass(frozen=True)
class Arrival:
    """A paper in the order of arrival: `number` counts over all issues, `position` from 1 within its own.

    An edit added the paper if it is `late`, and changed it if it is `corrected`.
    """

    number: int
    position: int
    issue: IssueFacts
    paper: PaperContent
    late: bool = False
    corrected: bool = False
