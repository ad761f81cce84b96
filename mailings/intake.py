"""The intake of posts: fetch the feed and topics, and store all weekly posts in them, all or nothing."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, assert_never

from sqlalchemy.orm import Session

from core.database import Sessions, advisory_lock
from core.run_log import RunKind, record_run
from issues.feed import read_feed, read_topic, topic_json_url
from issues.fetch import Fetched, Validators, fetch
from issues.models import Feed
from issues.parse.titles import parse_week
from issues.posts import Post
from issues.serialize import diff_to_json
from issues.store import ApplyResult, Outcome, apply

logger = logging.getLogger(__name__)


@dataclass
class IngestReport:
    """What an ingest found. Issues are named by topic id and first day of the week."""

    new: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    unchanged: list[dict[str, Any]] = field(default_factory=list)
    ignored: list[dict[str, Any]] = field(default_factory=list)
    held: list[dict[str, Any]] = field(default_factory=list)
    not_modified: bool = False

    def line(self) -> str:
        """The report in one line."""
        if self.not_modified:
            return "The feed has not changed since it was last read."
        return (
            f"{len(self.new)} new, {len(self.changed)} changed, {len(self.unchanged)} unchanged, "
            f"{len(self.held)} held, {len(self.ignored)} ignored"
        )


def ingest(
    sessions: Sessions,
    *,
    feed_url: str | None,
    topic_urls: Sequence[str] = (),
    allowed_hosts: Sequence[str] = (),
    now: datetime,
) -> IngestReport:
    """Read the feed (if any) and the topics, and store what is new in one transaction.

    Raises:
        FeedError: an answer cannot be used. Nothing is stored then, not even from the other answers.
    """
    fetched = None
    posts: list[Post] = []
    if feed_url:
        with sessions() as session:
            known = _validators(session, feed_url)
        fetched = fetch(feed_url, known, allowed_hosts)
        posts += read_feed(fetched) if fetched.body is not None else []
    for url in topic_urls:
        posts.append(read_topic(fetch(topic_json_url(url), Validators(), allowed_hosts)))
    if fetched and fetched.body is None and not topic_urls:
        with sessions.begin() as session:
            session.merge(Feed(url=feed_url, fetched_at=now))
        return IngestReport(not_modified=True)
    return _store_posts(sessions, posts, feed_url, fetched, now)


def _store_posts(
    sessions: Sessions, posts: Sequence[Post], feed_url: str | None, fetched: Fetched | None, now: datetime
) -> IngestReport:
    report = IngestReport()
    with sessions.begin() as session:
        advisory_lock(session, "ingest")
        for post in posts:
            if parse_week(post.title) is None:
                report.ignored.append({"topic_id": post.topic_id, "title": post.title})
            else:
                _add_to_report(report, apply(session, post, now))
        if feed_url and fetched and fetched.body is not None:
            session.merge(Feed(url=feed_url, fetched_at=now, **asdict(fetched.validators)))
        record_run(session, RunKind.INGEST, asdict(report), now)
    return report


def _validators(session: Session, url: str) -> Validators:
    feed = session.get(Feed, url)
    return Validators(feed.etag, feed.last_modified) if feed else Validators()


def _add_to_report(report: IngestReport, applied: ApplyResult) -> None:
    issue = applied.issue
    ids = {"issue": issue.week_start.isoformat(), "topic": issue.topic_id}
    logger.info("issue %s", applied.outcome, extra=ids)
    entry: dict[str, Any] = {
        "issue": issue.week_start.isoformat(),
        "topic_id": issue.topic_id,
        "title": issue.title,
    }
    match applied.outcome:
        case Outcome.NEW:
            report.new.append(entry | {"papers": len(issue.papers)})
        case Outcome.HELD:
            report.held.append(entry | {"reasons": list(applied.problems)})
        case Outcome.CHANGED:
            report.changed.append(entry | diff_to_json(applied.changes))
        case Outcome.UNCHANGED:
            report.unchanged.append(entry)
        case _:
            assert_never(applied.outcome)
