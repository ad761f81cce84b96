"""The topics of the sample forum, and how Discourse presents them: as a feed, as JSON and as a page."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime

from paperboy.demo.sample.cook import EMOJI_SET, cook_news, cook_week, templates
from paperboy.demo.sample.data import SampleWeek, weeks

NEWS_TOPIC_ID = 8411

_NEWS_POST_ID = 15920
_AUTHOR = "weekly_papers"
_CATEGORY = "읽을거리&정보공유"


@dataclass
class ForumState:
    """What the forum shows now.

    `weeks` is the number of weekly posts so far, and `edited` says whether one of them has been edited. If it is
    `unlinked`, the first paper of the newest post has lost its link, so that an operator must look at it.
    `replies` is the number of replies by topic id.
    """

    weeks: int = 3
    edited: bool = False
    unlinked: bool = False
    emoji_set: str = EMOJI_SET
    replies: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Topic:
    """A topic with its first post.

    `post_count` is also the number of participants, as each reply is by another person.
    """

    topic_id: int
    post_id: int
    slug: str
    title: str
    created_at: datetime
    updated_at: datetime
    version: int
    likes: int
    tags: tuple[str, ...]
    post_count: int
    cooked: str

    @property
    def path(self) -> str:
        """The path of the topic's page."""
        return f"/t/{self.slug}/{self.topic_id}"


def published_topics(state: ForumState, origin: str) -> list[Topic]:
    """The topics that the forum shows in a state, newest first."""
    # The news topic is always there, also before the first week is published.
    published = list(weeks(edited=state.edited)[: state.weeks])
    if state.unlinked:
        published[-1] = _without_first_link(published[-1])
    topics = [_news_topic(state, origin), *(_week_topic(week, state, origin) for week in published)]
    return sorted(topics, key=lambda topic: topic.created_at, reverse=True)


def _without_first_link(week: SampleWeek) -> SampleWeek:
    first, *others = week.papers
    return replace(week, version=week.version + 1, papers=(replace(first, link=""), *others))


def feed_xml(topics: list[Topic], origin: str) -> str:
    """The RSS feed of the category with these topics."""
    template = templates().get_template("feed.xml")
    return template.render(
        topics=topics, origin=origin, author=_AUTHOR, category=_CATEGORY, mail_date=format_datetime
    )


def topic_page(topic: Topic) -> str:
    """The HTML page of a topic, with its first post."""
    return templates().get_template("topic.html").render(topic=topic)


def topic_json(topic: Topic) -> str:
    """The JSON of a topic, with the fields of Discourse's API that matter for weekly posts."""
    first_post = {
        "id": topic.post_id,
        "username": _AUTHOR,
        "created_at": _json_time(topic.created_at),
        "updated_at": _json_time(topic.updated_at),
        "cooked": topic.cooked,
        "post_number": 1,
        "topic_id": topic.topic_id,
        "topic_slug": topic.slug,
        "version": topic.version,
        "actions_summary": [{"id": 2, "count": topic.likes}],
    }
    topic_fields = {
        "post_stream": {"posts": [first_post], "stream": [topic.post_id]},
        "id": topic.topic_id,
        "title": topic.title,
        "slug": topic.slug,
        "category_id": 14,
        "created_at": _json_time(topic.created_at),
        "posts_count": topic.post_count,
        "participant_count": topic.post_count,
        "like_count": topic.likes,
        "tags": [{"id": 100 + n, "name": tag, "slug": tag} for n, tag in enumerate(topic.tags)],
    }
    return json.dumps(topic_fields, ensure_ascii=False)


def _week_topic(week: SampleWeek, state: ForumState, origin: str) -> Topic:
    return Topic(
        topic_id=week.topic_id,
        post_id=week.post_id,
        slug=week.slug,
        title=week.title,
        created_at=week.created_at,
        updated_at=week.updated_at,
        version=week.version,
        likes=week.likes,
        tags=week.tags,
        post_count=1 + state.replies.get(week.topic_id, 0),
        cooked=cook_week(week, origin, state.emoji_set),
    )


def _news_topic(state: ForumState, origin: str) -> Topic:
    """A topic that an ingest must ignore.

    It is older than all weeks. Its title has the Korean word for papers, but no week in brackets.
    """
    posted_at = datetime(2025, 3, 21, 4, 30, tzinfo=UTC)
    return Topic(
        topic_id=NEWS_TOPIC_ID,
        post_id=_NEWS_POST_ID,
        slug="0-7-pdf-feat",
        title="느티 0.7: 논문 PDF를 표와 수식까지 읽어 주는 도구 (feat. 예제 연구실)",
        created_at=posted_at,
        updated_at=posted_at,
        version=1,
        likes=5,
        tags=("open-source", "paper"),
        post_count=1 + state.replies.get(NEWS_TOPIC_ID, 0),
        cooked=cook_news(_NEWS_POST_ID, origin, state.emoji_set),
    )


def _json_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
