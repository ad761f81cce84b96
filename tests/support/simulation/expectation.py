"""What the promises demand: which papers are news, in which order they arrive, and who must get them.

This is written from the promises and not from the code: it knows what the editors wrote and when it was read, and
nothing of cursors, deliveries or slots.
"""

import itertools
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from tests.support.simulation.forum import SimulatedPost

MAX_AGE = timedelta(days=21)  # of a week's end; a post that is read later is for the archive
MAX_ABSENCE = timedelta(weeks=8)  # of a paper; one that is restored later is for the archive


@dataclass
class IssueInForce:
    """An issue as it was read last: its papers in force, when the others went, and whether it is for the archive."""

    start: date
    papers: list[int]
    is_archive: bool
    is_deleted: bool = False
    gone_since: dict[int, datetime] = field(default_factory=dict)


@dataclass
class Expectation:
    """The issues by topic, `order` with the place of each paper that is news, and the papers of the `archive`.

    `was_news` are the papers that ever were, and `moved` are those that changed their place. Of `pruned` papers nobody can
    tell any more who has had them.
    """

    issues: dict[int, IssueInForce] = field(default_factory=dict)
    order: dict[int, int] = field(default_factory=dict)
    archive: set[int] = field(default_factory=set)
    was_news: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)
    pruned: set[int] = field(default_factory=set)
    _places: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    # --- readings of the forum ---------------------------------------------------------------

    def note_reading(
        self, posts: Iterable[SimulatedPost], waiting: Collection[int], mailed: Collection[int], now: datetime
    ) -> None:
        """Note that posts were read. `waiting` are topics that wait for an operator, `mailed` are papers."""
        posts = list(posts)
        is_first = not any(self._counts_as_published(issue, mailed) for issue in self.issues.values())
        newest_mailed = max(
            (issue.start for issue in self.issues.values() if self._was_mailed(issue, mailed)), default=None
        )
        new = [post for post in posts if post.topic_id not in self.issues and not post.is_deleted]
        newest_new = max((post.start for post in new if not post.lacks_title), default=None)
        for post in posts:
            if post.is_deleted:
                self._delete(post.topic_id, now)
            elif post.topic_id in self.issues:
                self._come_back(self.issues[post.topic_id], now)
                if not post.lacks_title:
                    self._edit(post, now)
            elif post.topic_id not in waiting:
                is_old = post.start + timedelta(days=6) + MAX_AGE < now.date()
                is_older = newest_mailed is not None and post.start < newest_mailed
                is_archive = post.start < (newest_new or post.start) if is_first else is_old or is_older
                self.put_in_force(post, post.papers, is_archive=is_archive)

    def put_in_force(self, post: SimulatedPost, papers: list[int], *, is_archive: bool) -> None:
        """An issue begins with these papers."""
        self.issues[post.topic_id] = IssueInForce(post.start, list(papers), is_archive)
        for number in papers:
            self._arrive(number, is_archive=is_archive)

    def mail_archived(self, topic_id: int) -> None:
        """An operator lets an issue of the archive be mailed."""
        issue = self.issues[topic_id]
        issue.is_archive = False
        for number in issue.papers:
            if number not in self.pruned:
                self.archive.discard(number)
                self._arrive(number, is_archive=False)
                self.moved.add(number)

    def _arrive(self, number: int, *, is_archive: bool) -> None:
        if is_archive:
            self.archive.add(number)
        else:
            self.order[number] = next(self._places)
            self.was_news.add(number)

    def _edit(self, post: SimulatedPost, now: datetime) -> None:
        issue = self.issues[post.topic_id]
        for number in issue.papers:
            if number not in post.papers:
                issue.gone_since[number] = now
        for number in post.papers:
            if number in issue.papers:
                continue
            gone_since = issue.gone_since.pop(number, None)
            if gone_since is None:
                self._arrive(number, is_archive=issue.is_archive)
            else:
                self._restore(number, gone_since, now)
        kept = [number for number in issue.papers if number in post.papers]
        new = [number for number in post.papers if number not in kept]
        if post.papers != [*kept, *new]:
            self.moved |= set(
                post.papers
            )  # they arrive in the order of the post, if nobody has had only some
        issue.papers = list(post.papers)

    def _restore(self, number: int, gone_since: datetime, now: datetime) -> None:
        if number in self.archive or gone_since + MAX_ABSENCE < now:
            self.archive.add(number)
            self.order.pop(number, None)
        elif number not in self.pruned:  # one of those keeps its place
            self._arrive(number, is_archive=False)
            self.moved.add(number)

    def _delete(self, topic_id: int, now: datetime) -> None:
        issue = self.issues.get(topic_id)
        if issue and not issue.is_deleted:
            issue.is_deleted = True
            issue.gone_since |= dict.fromkeys(issue.papers, now)

    def _come_back(self, issue: IssueInForce, now: datetime) -> None:
        if not issue.is_deleted:
            return
        issue.is_deleted = False
        for number in issue.papers:
            self._restore(number, issue.gone_since.pop(number), now)

    def _was_mailed(self, issue: IssueInForce, mailed: Collection[int]) -> bool:
        return any(number in mailed for number in (*issue.papers, *issue.gone_since))

    def _counts_as_published(self, issue: IssueInForce, mailed: Collection[int]) -> bool:
        return not issue.is_deleted or self._was_mailed(issue, mailed)

    # --- who gets what --------------------------------------------------------------

    def keeps_its_place(self, number: int) -> bool:
        """Whether a paper is news, and was never moved in the order."""
        return number in self.order and number not in self.moved

    def start_of_latest(self) -> int:
        """The place from which a new subscriber gets papers: that of the newest week's first."""
        news = {
            topic_id: [number for number in issue.papers if number in self.order]
            for topic_id, issue in self.issues.items()
            if not issue.is_deleted
        }
        newest = max((self.issues[topic].start for topic, papers in news.items() if papers), default=None)
        return min(
            (
                self.order[number]
                for topic, papers in news.items()
                if self.issues[topic].start == newest
                for number in papers
            ),
            default=0,
        )

    def due(self, start: int) -> set[int]:
        """The papers in force that somebody must get who began at a place."""
        in_force = {
            number for issue in self.issues.values() if not issue.is_deleted for number in issue.papers
        }
        return {number for number, place in self.order.items() if place >= start and number in in_force}
