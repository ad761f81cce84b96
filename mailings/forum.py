"""Reads the forum for an intake: its feed, topics by hand, and once a day the topics of the last weeks."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database import Sessions
from issues.feed import read_feed, read_topic, topic_json_url
from issues.fetch import FeedError, Fetched, GoneError, Validators, fetch
from issues.models import Feed, Issue
from issues.posts import Post
from issues.queries import last_post

logger = logging.getLogger(__name__)

FOLLOWED_WEEKS = timedelta(weeks=8)  # for which an issue's topic is read by itself
TOPIC_INTERVAL = timedelta(
    hours=23
)  # between two readings of a topic, so that an hourly run reads it once a day
MAX_AUTHORS_TO_LEARN = 10  # topics of stored issues that one run reads to learn their authors


@dataclass
class ForumState:
    """What was read: posts, topics that are gone, and why other topics could not be read (by their id).

    `answers` are the validators of each address that gave an answer, for the next conditional request.
    """

    posts: list[Post] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    unread: dict[int, str] = field(default_factory=dict)
    answers: dict[str, Validators] = field(default_factory=dict)
    feed_has_changed: bool = True


class ForumReader:
    """Reads the forum's answers and keeps what they say. No transaction is open while it waits for one."""

    def __init__(self, sessions: Sessions, allowed_hosts: Sequence[str]) -> None:
        self._sessions, self._allowed_hosts = sessions, allowed_hosts
        self.state = ForumState()

    def read_feed(self, url: str) -> None:
        """Read the feed, if it has changed.

        Raises:
            FeedError: the answer cannot be used.
        """
        fetched = self._fetch(url)
        self.state.feed_has_changed = fetched.body is not None
        if fetched.body is not None:
            self.state.posts += read_feed(fetched)

    def read_topic(self, url: str) -> None:
        """Read a topic that an operator named.

        Raises:
            FeedError: the answer cannot be used.
        """
        self.state.posts.append(read_topic(fetch(topic_json_url(url), Validators(), self._allowed_hosts)))

    def add_held(self) -> None:
        """Add the posts that have never been in force and were not read now: what held them may have passed."""
        read = {post.topic_id for post in self.state.posts} | self.state.gone
        with self._sessions() as session:
            held = select(Issue).where(Issue.revision == 0, Issue.held_revision.is_not(None))
            posts = [last_post(issue) for issue in session.scalars(held)]
        self.state.posts += [post for post in posts if post.topic_id not in read]

    def follow_topics(self, now: datetime) -> None:
        """Read the topics of the last weeks that were not read within a day, because a post can leave the feed."""
        with self._sessions() as session:
            urls = {issue.topic_id: topic_json_url(issue.url) for issue in _followed(session, now)}
            read_at = {feed.url: feed.fetched_at for feed in session.scalars(select(Feed))}
        for topic_id, url in urls.items():
            if url not in read_at or read_at[url] + TOPIC_INTERVAL <= now:
                self._follow(topic_id, url)

    def _follow(self, topic_id: int, url: str) -> None:
        try:
            fetched = self._fetch(url)
            if fetched.body is not None:
                self._replace(read_topic(fetched))
        except GoneError:
            self.state.gone.add(topic_id)
            self.state.answers[url] = Validators()
        except FeedError as error:
            self.state.unread[topic_id] = str(error)
            logger.warning("a topic could not be read: %s", error, extra={"topic": topic_id})

    def learn_authors(self, posts: Iterable[Post]) -> None:
        """Read the author of each post from its topic, because the feed's name can be one that anybody chooses."""
        for post in posts:
            url = topic_json_url(post.url)
            try:
                fetched = fetch(url, Validators(), self._allowed_hosts)
                topic = _same_topic(post, read_topic(fetched))
            except FeedError as error:
                self.state.unread[post.topic_id] = str(error)
                self._read_feed_again()
            else:
                self.state.answers[url] = fetched.validators
                self._replace(replace(post, author=topic.author, tags=topic.tags))

    def authors_of_stored(self) -> dict[int, str]:
        """The authors of stored issues, by topic id, that an older version did not store."""
        with self._sessions() as session:
            unknown = select(Issue).where(Issue.revision > 0, Issue.author == "", Issue.deleted_at.is_(None))
            newest = unknown.order_by(Issue.week_start.desc()).limit(MAX_AUTHORS_TO_LEARN)
            urls = {issue.topic_id: issue.url for issue in session.scalars(newest)}
        found = {}
        for topic_id, url in urls.items():
            try:
                topic = read_topic(fetch(topic_json_url(url), Validators(), self._allowed_hosts))
                found[topic_id] = topic.author
            except FeedError as error:
                logger.warning("the author of a topic is not known: %s", error, extra={"topic": topic_id})
                self._read_feed_again()
        return found

    def _fetch(self, url: str) -> Fetched:
        with self._sessions() as session:
            feed = session.get(Feed, url)
            known = Validators(feed.etag, feed.last_modified) if feed else Validators()
        fetched = fetch(url, known, self._allowed_hosts)
        self.state.answers[url] = fetched.validators
        return fetched

    def _read_feed_again(self) -> None:
        """Let the next run read the feed even if it has not changed, because one of its topics was not read."""
        self.state.answers = {url: Validators() for url in self.state.answers}

    def _replace(self, post: Post) -> None:
        """Keep the post in place of what another answer said about its topic."""
        others = [other for other in self.state.posts if other.topic_id != post.topic_id]
        self.state.posts = [*others, post]


def _same_topic(post: Post, topic: Post) -> Post:
    """The topic, if it is that of the post. A feed that links to the topic of somebody else does not get their name.

    Raises:
        FeedError: it is another topic.
    """
    if topic.topic_id != post.topic_id:
        raise FeedError(f"{post.url} is the address of topic {topic.topic_id}, not of topic {post.topic_id}")
    return topic


def _followed(session: Session, now: datetime) -> Sequence[Issue]:
    since = (now - FOLLOWED_WEEKS).date()
    return session.scalars(select(Issue).where(Issue.week_end >= since).order_by(Issue.id)).all()


def save_answers(session: Session, answers: dict[str, Validators], now: datetime) -> None:
    """Store what makes the next requests conditional."""
    for url, validators in answers.items():
        session.merge(Feed(url=url, fetched_at=now, **asdict(validators)))
