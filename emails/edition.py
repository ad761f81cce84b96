"""What a digest holds, as plain values: issues, their papers, and of each paper the texts in the mail's language."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from core.errors import PaperboyError
from core.languages import TextLanguage
from emails.content import MailSpec
from emails.kinds import MailKind
from issues.parse.content import Link, Picture
from issues.parse.text import Block
from issues.parse.weeks import Week

PartName = Literal["overview", "summary", "intro", "abstract", "notes", "section", "closing"]


class EmptyIssueError(PaperboyError):
    """Nothing of the issue can be mailed."""


@dataclass(frozen=True)
class Part:
    """One text of a paper or of an issue, in one language.

    If it `opens` a paper, it is the first that says what the paper is about. `heading` is that of the post, if the name
    alone does not say what the text is.
    """

    name: PartName
    language: TextLanguage
    blocks: tuple[Block, ...]
    opens: bool = False
    heading: str = ""


@dataclass(frozen=True)
class Gist:
    """One sentence that says what a paper does, and its language."""

    language: TextLanguage
    text: str


@dataclass(frozen=True)
class OperatorNote:
    """What the operators say to subscribers in one language, in paragraphs of plain text."""

    language: TextLanguage
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Replacement:
    """A title or link that an edit replaced. `language` is that of the title."""

    what: Literal["title", "link"]
    before: str
    after: str
    language: TextLanguage | None = None


@dataclass(frozen=True)
class PaperUnit:
    """One paper as a mail shows it. A title that the paper does not have in a shown language is empty.

    `short_name` is what people call the paper, or empty if it has no such name. `forum` is the paper's address on the
    forum, `elsewhere` names the texts that the mail's language lacks. In a correction, `replaced` and
    `removed_sentences` say what changed besides the sentences that are marked in `parts`.
    """

    number: int
    arrival_order: int
    position: int
    title: str
    subtitle: str
    title_language: TextLanguage
    short_name: str
    gists: tuple[Gist, ...]
    forum: str
    url: str
    links: tuple[Link, ...]
    picture: Picture | None
    parts: tuple[Part, ...]
    elsewhere: tuple[PartName, ...]
    late: bool
    corrected: bool
    replaced: tuple[Replacement, ...] = ()
    removed_sentences: int = 0


@dataclass(frozen=True)
class IssueUnit:
    """An issue's share of a mail: some of its papers, with the first of them its overview, with the last its closing.

    `total` counts all papers of the issue. `elsewhere` names the texts that the mail's language lacks. `notes` are in
    the digest that opens the issue.
    """

    topic_id: int
    week: Week
    url: str
    total: int
    parts: tuple[Part, ...]
    elsewhere: tuple[PartName, ...]
    papers: tuple[PaperUnit, ...]
    closing: tuple[Part, ...] = ()
    notes: tuple[OperatorNote, ...] = ()


@dataclass(frozen=True)
class Edition:
    """The content of a digest, the same for all subscribers with the same cursor and language.

    `remaining` counts the unread papers that wait for later mails. `following` are those of the next mail.
    """

    spec: MailSpec
    issues: tuple[IssueUnit, ...]
    remaining: int
    following: tuple[PaperUnit, ...] = ()

    @property
    def occasion(self) -> str:
        """Which phrases fit the mail: `weekly`, `daily`, `late` (additions only), `welcome`, `copy`, `correction`."""
        if self.spec.kind == MailKind.WELCOME_DIGEST:
            return "welcome"
        if self.spec.kind != MailKind.DIGEST:
            return self.spec.kind
        return "late" if all(paper.late for paper in self.papers) else self.spec.frequency

    @property
    def next_cursor(self) -> int:
        """The cursor of those who have got the edition."""
        return self.papers[-1].arrival_order

    @property
    def papers(self) -> tuple[PaperUnit, ...]:
        """All papers, in order."""
        return tuple(paper for issue in self.issues for paper in issue.papers)

    @property
    def units(self) -> tuple[tuple[Part, ...], ...]:
        """The texts of each issue's opening, of each of its papers and of its closing, in reading order."""
        return tuple(
            parts
            for issue in self.issues
            for parts in (issue.parts, *(paper.parts for paper in issue.papers), issue.closing)
        )

    @property
    def parts(self) -> tuple[Part, ...]:
        """All texts, in reading order."""
        return tuple(part for unit in self.units for part in unit)


def days_covered(issues: Sequence[IssueUnit]) -> tuple[date, date]:
    """The first and last day that the issues cover. Issues to which papers were only added do not count."""
    fresh = [issue for issue in issues if not all(paper.late for paper in issue.papers)] or issues
    return min(issue.week.start for issue in fresh), max(issue.week.end for issue in fresh)
