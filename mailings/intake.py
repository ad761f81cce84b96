"""The intake of posts: read the forum, decide what becomes an issue, render it on trial, and store it.

All of a run is stored in one transaction, or nothing is.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from core.database import Sessions
from core.locks import advisory_lock
from core.run_log import RunKind, record_run
from delivery import cursors
from issues import paper_rows, store
from issues.fetch import FeedError
from issues.parse.content import IssueContent
from issues.parse.weeks import Week
from issues.posts import Post
from issues.recognition import WeeklyPost, recognize
from issues.serialize import revision_content
from issues.store import ApplyResult, Outcome
from mailings.admission import Published, is_archive, mailed_before, problems_of_new, read_published
from mailings.context import IntakeRules
from mailings.forum import ForumReader, ForumState, save_answers
from mailings.ingest_report import IngestReport, entry_of, ids_of
from mailings.trial_rendering import faults_of

logger = logging.getLogger(__name__)


def ingest(
    sessions: Sessions,
    *,
    feed_url: str | None,
    topic_urls: Sequence[str] = (),
    rules: IntakeRules,
    now: datetime,
) -> IngestReport:
    """Read the feed (if any) and the topics, and store what is new in one transaction.

    With the feed, the topics of the last weeks are read as well, each once a day.

    Raises:
        FeedError: an answer cannot be used. Nothing is stored then, not even from the other answers.
    """
    forum = ForumReader(sessions, rules.allowed_hosts)
    if feed_url:
        forum.read_feed(feed_url)
        forum.follow_topics(now)
        forum.add_held()
    for url in topic_urls:
        forum.read_topic(url)
    state = forum.state
    if not (state.feed_has_changed or state.posts or state.gone):
        with sessions.begin() as session:
            save_answers(session, state.answers, now)
        return IngestReport(not_modified=True, unread=_unread(state))
    return take_posts(sessions, forum, rules, now)


@dataclass(frozen=True)
class News:
    """What reading the feed before a digest brought, or in one line why it could not be read."""

    report: IngestReport
    fault: str = ""


def read_news(sessions: Sessions, feed_url: str, rules: IntakeRules, now: datetime) -> News:
    """Read the feed before a digest. A failure must not stop the digest."""
    try:
        return News(ingest(sessions, feed_url=feed_url, rules=rules, now=now))
    except FeedError as error:
        return News(IngestReport(), str(error))
    except Exception as error:
        logger.exception("the feed could not be read before a digest")
        return News(IngestReport(), f"the feed could not be read: {type(error).__name__}")


def take_posts(sessions: Sessions, forum: ForumReader, rules: IntakeRules, now: datetime) -> IngestReport:
    """Store the weekly posts among what was read from the forum."""
    state = forum.state
    with sessions() as session:
        state.posts = [_with_stored_author(session, post) for post in state.posts]
        weekly, ignored = _recognized(session, state.posts, now)
        unknown = [found.post for found in weekly if not found.post.author and _is_new(session, found.post)]
    authors = forum.authors_of_stored()
    forum.learn_authors(unknown)
    report = IngestReport(ignored=ignored, unread=_unread(state))
    with sessions() as session:
        weekly, _ = _recognized(session, state.posts, now)
    parsed = [(found, _parsed(found)) for found in weekly]  # takes a while, so no transaction is open
    with sessions() as session:
        published = read_published(session, authors)
        candidates = _candidates(session, parsed, published, state.unread, rules, now)
    faults = _faults_on_trial(sessions, candidates, rules)
    with sessions.begin() as session:
        advisory_lock(session, "ingest")
        _store_authors(session, authors)
        for candidate in candidates:
            content = _with_problem(candidate.content, faults.get(candidate.post.topic_id))
            applied = store.apply(
                session, candidate.post, now, content=content, is_archive=candidate.is_archive
            )
            _order_as_posted(session, applied)
            report.add(applied)
        _note_deleted(session, state.gone, report, now)
        save_answers(session, state.answers, now)
        record_run(session, RunKind.INGEST, asdict(report), now)
    return report


def _unread(state: ForumState) -> list[dict[str, Any]]:
    return [{"topic_id": topic_id, "reason": reason} for topic_id, reason in sorted(state.unread.items())]


# --- deciding -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Candidate:
    """A weekly post with what was parsed from it, and what was decided about it."""

    post: Post
    content: IssueContent
    is_archive: bool


def _recognized(
    session: Session, posts: Iterable[Post], now: datetime
) -> tuple[list[WeeklyPost], list[dict[str, Any]]]:
    """The weekly posts, oldest week first, and the topics that are none."""
    weekly, ignored = [], []
    for post in posts:
        issue = store.find_topic(session, post.topic_id)
        found = recognize(
            post,
            now,
            stored_week=Week(issue.week_start, issue.week_end) if issue else None,
            accepted_week=issue.accepted_week if issue else None,
        )
        if found:
            weekly.append(found)
        else:
            ignored.append({"topic_id": post.topic_id, "title": post.title})
    return sorted(weekly, key=lambda found: (found.week.start, found.post.topic_id)), ignored


def _with_stored_author(session: Session, post: Post) -> Post:
    issue = store.find_topic(session, post.topic_id)
    return replace(post, author=issue.author) if issue and not post.author else post


def _is_new(session: Session, post: Post) -> bool:
    """Whether a topic has never been in force."""
    issue = store.find_topic(session, post.topic_id)
    return issue is None or issue.revision == 0


def _parsed(found: WeeklyPost) -> IssueContent:
    return _with_problem(store.read_post(found.post, found.week), found.problem)


def _store_authors(session: Session, authors: dict[int, str]) -> None:
    for topic_id, author in authors.items():
        issue = store.find_topic(session, topic_id)
        if issue and not issue.author:
            issue.author = author
    session.flush()


def _candidates(
    session: Session,
    parsed: Sequence[tuple[WeeklyPost, IssueContent]],
    published: Published,
    unread: Mapping[int, str],
    rules: IntakeRules,
    now: datetime,
) -> list[_Candidate]:
    """Decide about the posts that have never been in force. All others are followed without a question."""
    authors = _authors(rules, published, [found for found, content in parsed if content.papers])
    new_weeks = [
        found.week for found, content in parsed if not content.problems and _is_new(session, found.post)
    ]
    before = published
    candidates = []
    for found, content in parsed:
        if not _is_new(session, found.post):
            repeated = _problem_of_repeats(session, found.post, content, published)
            candidates.append(_Candidate(found.post, _with_problem(content, repeated), is_archive=False))
            continue
        why = unread.get(found.post.topic_id, "")
        problems = problems_of_new(found.post, content, published, authors=authors, why_no_author=why)
        checked = replace(content, problems=(*content.problems, *problems))
        is_old = is_archive(content.week, before, new_weeks, now)
        candidates.append(_Candidate(found.post, checked, is_old))
        if not checked.problems:
            published = published.and_also(found.post, content.week)
    return candidates


def _problem_of_repeats(
    session: Session, post: Post, content: IssueContent, published: Published
) -> str | None:
    """Why an edit of an issue in force is held: it adds papers that another topic brings or has brought."""
    issue = store.find_topic(session, post.topic_id)
    if issue is None:
        return None
    known = {paper.work for paper in revision_content(store.revision_of(issue, issue.revision)).papers}
    repeated = mailed_before(content, published, post.topic_id) - known
    titles = [paper.name for paper in content.papers if paper.work in repeated]
    return (
        f"an edit added {len(titles)} papers that another topic brings or has brought, for example "
        f"“{titles[0][:60]}”; a release brings only the others"
        if titles
        else None
    )


def _authors(rules: IntakeRules, published: Published, weekly: Sequence[WeeklyPost]) -> Collection[str]:
    """Who may publish. While nobody has, it is who wrote the newest issue that can be read."""
    if rules.authors:
        return rules.authors
    if published.issues:
        return published.authors
    newest = [found.post.author.lower() for found in weekly if not found.problem and found.post.author]
    return newest[-1:]


def _with_problem(content: IssueContent, problem: str | None) -> IssueContent:
    return replace(content, problems=(*content.problems, problem)) if problem else content


def _faults_on_trial(
    sessions: Sessions, candidates: Sequence[_Candidate], rules: IntakeRules
) -> dict[int, str]:
    """Why issues that would come into force cannot be rendered. A text that is in force already is not rendered."""
    with sessions() as session:
        coming = {
            candidate.post.topic_id: (candidate.post.url, candidate.content)
            for candidate in candidates
            if not candidate.content.problems and not _is_in_force(session, candidate)
        }
    return faults_of(coming, identity=rules.identity, daily_papers=rules.daily_papers)


def _is_in_force(session: Session, candidate: _Candidate) -> bool:
    issue = store.find_topic(session, candidate.post.topic_id)
    if issue is None or issue.revision == 0 or issue.held_revision is not None:
        return False
    stored = revision_content(store.revision_of(issue, issue.revision))
    return replace(stored, problems=()) == candidate.content


# --- storing ------------------------------------------------------------------------


def _order_as_posted(session: Session, applied: ApplyResult) -> None:
    """Let reordered papers arrive in their new order, if nobody has been sent only some of them."""
    issue = applied.issue
    if applied.outcome != Outcome.CHANGED or paper_rows.is_in_posted_order(issue):
        return
    advisory_lock(session, "planning")
    first, last = paper_rows.arrival_range(issue)
    if not cursors.may_stand_between(session, first, last):
        paper_rows.order_as_posted(issue)


def _note_deleted(session: Session, gone: Collection[int], report: IngestReport, now: datetime) -> None:
    for topic_id in sorted(gone):
        issue = store.find_topic(session, topic_id)
        if issue:
            if issue.deleted_at is None:
                logger.warning("the post of an issue is gone", extra=ids_of(issue))
            store.delete(session, issue, now)
            report.deleted.append(entry_of(issue))
