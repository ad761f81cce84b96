"""Chooses the papers of an edition: how many unread ones come next, all of an issue, or those to resend. Pure."""

from collections.abc import Sequence
from math import ceil

from core.frequencies import Frequency
from emails.compose import compose
from emails.content import MailSpec
from emails.edition import Edition, EmptyIssueError
from emails.kinds import MailKind
from issues.arrivals import Arrival

MAX_PAPERS = 40  # a mail cannot show more papers with their introductions; the others come with the next mail
DAYS_PER_BACKLOG = 5  # however many papers are unread, daily mails bring them within about five days

_EMPTY = "the issue has no paper in force; if it is held, release it first"


def portion(unread: int, frequency: Frequency, daily_papers: int) -> int:
    """How many of the unread papers the next mail brings; `daily_papers` 0 means all at once."""
    if frequency.brings_whole_issues or daily_papers == 0:
        return min(unread, MAX_PAPERS)
    return min(unread, max(daily_papers, ceil(unread / DAYS_PER_BACKLOG)), MAX_PAPERS)


def next_edition(
    arrived: Sequence[Arrival],
    cursor: int,
    spec: MailSpec,
    *,
    daily_papers: int,
    max_papers: int = MAX_PAPERS,
) -> Edition | None:
    """The next edition for subscribers at `cursor`, or None when nothing is unread."""
    unread = [arrival for arrival in arrived if arrival.arrival_order > cursor]
    count = min(portion(len(unread), spec.frequency, daily_papers), max_papers)
    if not count:
        return None
    return _compose_portion(unread, count, cursor, spec, daily_papers)


def editions_of_issue(papers: Sequence[Arrival], spec: MailSpec, *, daily_papers: int) -> list[Edition]:
    """The editions in which an issue's papers come, one after the other. A weekly subscriber gets one.

    Raises:
        EmptyIssueError: the issue has no paper in force.
    """
    if not papers:
        raise EmptyIssueError(_EMPTY)
    editions = []
    start = 0
    while start < len(papers):
        unread = papers[start:]
        is_whole = spec.frequency.brings_whole_issues  # even if the issue is unusually long
        count = len(unread) if is_whole else portion(len(unread), spec.frequency, daily_papers)
        cursor = papers[start - 1].arrival_order if start else 0
        editions.append(_compose_portion(unread, count, cursor, spec, daily_papers))
        start += count
    return editions


def edition_to_resend(papers: Sequence[Arrival], spec: MailSpec) -> Edition:
    """The edition of some papers of one issue that an operator sends again.

    A copy that has the issue's first paper brings the overview. A correction never does.

    Raises:
        EmptyIssueError: there is no paper.
    """
    if not papers:
        raise EmptyIssueError(_EMPTY)
    with_overview = spec.kind == MailKind.COPY and papers[0].position == 1
    return compose(papers, 0 if with_overview else papers[0].issue.first_arrival, spec)


def _compose_portion(
    unread: Sequence[Arrival], count: int, cursor: int, spec: MailSpec, daily_papers: int
) -> Edition:
    """The edition of the first `count` unread papers. A daily one also announces those of the next mail."""
    waiting = unread[count:]
    is_whole = spec.frequency.brings_whole_issues
    announced = 0 if is_whole else portion(len(waiting), spec.frequency, daily_papers)
    return compose(unread[:count], cursor, spec, remaining=len(waiting), following=waiting[:announced])
