"""Which new posts become issues without an operator: by their author, their week, and what was mailed before."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.orm import Session

from delivery.editions import delivered_papers
from issues.models import Issue, Paper
from issues.parse.content import IssueContent
from issues.parse.weeks import Week
from issues.posts import Post
from issues.serialize import paper_content

MAX_AGE = timedelta(days=21)  # of a week's end when its post arrives; an older one is for the archive


@dataclass(frozen=True)
class PublishedIssue:
    """An issue in force, as far as the next ones depend on it."""

    topic_id: int
    week: Week
    url: str
    author: str
    was_mailed: bool


@dataclass(frozen=True)
class Published:
    """The issues in force, and the works that were mailed or are about to be, each with the topic that brings it."""

    issues: tuple[PublishedIssue, ...]
    works: dict[str, int]

    @property
    def authors(self) -> frozenset[str]:
        """The forum user names of those who have published an issue, in lower case."""
        return frozenset(issue.author.lower() for issue in self.issues if issue.author)

    @property
    def newest_mailed(self) -> date | None:
        """The first day of the newest week that was mailed."""
        return max((issue.week.start for issue in self.issues if issue.was_mailed), default=None)

    def and_also(self, post: Post, week: Week) -> "Published":
        """The same with a post that is about to be published."""
        added = PublishedIssue(post.topic_id, week, post.url, post.author, was_mailed=False)
        return replace(self, issues=(*self.issues, added))


def read_published(session: Session, authors: Mapping[int, str] = MappingProxyType({})) -> Published:
    """What has been published so far. `authors` are those of topics whose author is not stored."""
    delivered = delivered_papers(session)
    rows = session.scalars(select(Issue).where(Issue.revision > 0)).all()
    mailed = session.scalars(select(Paper).where(Paper.number.in_(delivered))).all()
    mailed_issues = {paper.issue_id for paper in mailed}
    is_coming = (Paper.withdrawn_at.is_(None), ~Paper.archived)
    # What a deleted topic brought is not here: a release lets it go on under the new topic.
    kept = [paper for paper in mailed if paper.issue.deleted_at is None]
    brought = {*kept, *session.scalars(select(Paper).where(*is_coming))}
    return Published(
        tuple(
            PublishedIssue(
                issue.topic_id,
                Week(issue.week_start, issue.week_end),
                issue.url,
                issue.author or authors.get(issue.topic_id, ""),
                issue.id in mailed_issues,
            )
            for issue in rows
            if issue.deleted_at is None or issue.id in mailed_issues
        ),
        {paper_content(paper).work: paper.issue.topic_id for paper in brought},
    )


def problems_of_new(
    post: Post, content: IssueContent, published: Published, *, authors: Collection[str], why_no_author: str
) -> Iterator[str]:
    """The reasons to hold a post that has never been in force.

    `authors` are the forum user names, in lower case, of those who may publish. `why_no_author` says why the post's
    author is not known, if so.
    """
    if not post.author:
        yield f"its author is not known: {why_no_author or 'the topic has not been read yet'}"
    elif post.author.lower() not in authors:
        yield f"its author {post.author} may not publish: PAPERBOY_AUTHORS, or a release of this issue, allows it"
    for other in published.issues:
        if other.topic_id != post.topic_id and other.week.overlaps(content.week):
            yield f"another topic has the issue of this week already: {other.url}"
            break
    repeated = mailed_before(content, published, post.topic_id)
    if repeated:
        titles = [paper.name for paper in content.papers if paper.work in repeated]
        yield (
            f"another topic brings or has brought {len(titles)} of its papers, for example “{titles[0][:60]}”; "
            "a release brings only the others"
        )


def mailed_before(content: IssueContent, published: Published, topic_id: int) -> set[str]:
    """The works in a post that another topic has brought before."""
    works = {paper.work for paper in content.papers}
    return {work for work in works if published.works.get(work, topic_id) != topic_id}


def is_archive(week: Week, published: Published, candidates: Sequence[Week], now: datetime) -> bool:
    """Whether a new issue is for the archive only: its week is long over, or older than one that was mailed.

    When no issue is in force yet, all but the newest of the `candidates` are.
    """
    if not published.issues:
        return week.start < max((other.start for other in candidates), default=week.start)
    newest = published.newest_mailed
    return week.end + MAX_AGE < now.date() or (newest is not None and week.start < newest)
