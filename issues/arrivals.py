"""Papers in their order of arrival, each with what a mail says about its issue. Plain values."""

from dataclasses import dataclass

from issues.parse.content import PaperContent
from issues.parse.text import Block
from issues.parse.weeks import Week


@dataclass(frozen=True)
class IssueFacts:
    """What a digest says about an issue. `note_ko` and `note_en` are what operators say to subscribers.

    `first_arrival` is the lowest place of its papers in the order of arrival, `papers` counts those in force, and
    `closing` is what the post says after them.
    """

    topic_id: int
    week: Week
    url: str
    overview: tuple[Block, ...]
    summary: tuple[Block, ...]
    first_arrival: int
    papers: int
    closing: tuple[Block, ...] = ()
    note_ko: str = ""
    note_en: str = ""


@dataclass(frozen=True)
class Arrival:
    """A paper in the order of arrival.

    `number` identifies it, `arrival_order` is its place over all issues, and `position` counts from 1 within its own.
    An edit added the paper if it is `late`, changed it if it is `corrected`, and brought it back if it is `restored`.
    For a correction, `before` is what those who get it have read.
    """

    number: int
    arrival_order: int
    position: int
    issue: IssueFacts
    paper: PaperContent
    late: bool = False
    corrected: bool = False
    restored: bool = False
    before: PaperContent | None = None
