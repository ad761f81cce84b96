"""The sample forum's topics, and the three things Discourse makes of them: feed, JSON and page."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

from paperboy.demo.sample.cook import EMOJI_SET, cook_news, cook_week, templates
from paperboy.demo.sample.data import Week, weeks

NEWS_TOPIC_ID = 8411

_NEWS_POST_ID = 15920
_AUTHOR = "weekly_papers"
_CATEGORY = "읽을거리&정보공유"


@dataclass
class State:
    """What the forum shows now; `replies` counts the replies by topic id."""

    weeks: int = 3
    edited: bool = False
    emoji_set: str = EMOJI_SET
    replies: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Topic:
    """A topic with its first post; each reply is by another reader, so posts count people too."""

    topic_id: int
    post_id: int
    slug: str
    title: str
    created_at: datetime
    updated_at: datetime
    version: int
    likes: int
    tags: tuple[str, ...]
    posts: int
    cooked: str

    @property
    def path(self) -> str:
        """The topic's address on its forum."""
        return f"/t/{self.slug}/{self.topic_id}"


def published_topics(state: State, origin: str) -> list[Topic]:
    """The topics the forum shows in this state, newest first."""
    published = weeks(edited=state.edited)[: state.weeks]
    topics = [_news_topic(state, origin), *(_week_topic(week, state, origin) for week in published)]
    return sorted(topics, key=lambda topic: topic.created_at, reverse=True)


def feed_xml(topics: list[Topic], origin: str) -> str:
    """The category's RSS feed."""
    template = templates().get_template("feed.xml")
    return template.render(
        topics=topics, origin=origin, author=_AUTHOR, category=_CATEGORY, mail_date=format_datetime
    )


def topic_page(topic: Topic) -> str:
    """A plain HTML page of the topic's first post."""
    return templates().get_template("topic.html").render(topic=topic)


def topic_json(topic: Topic) -> str:
    """The topic as Discourse's JSON, with what a reader of weekly posts looks at."""
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
    answer = {
        "post_stream": {"posts": [first_post], "stream": [topic.post_id]},
        "id": topic.topic_id,
        "title": topic.title,
        "slug": topic.slug,
        "category_id": 14,
        "created_at": _json_time(topic.created_at),
        "posts_count": topic.posts,
        "participant_count": topic.posts,
        "like_count": topic.likes,
        "tags": [{"id": 100 + n, "name": tag, "slug": tag} for n, tag in enumerate(topic.tags)],
    }
    return json.dumps(answer, ensure_ascii=False)


def _week_topic(week: Week, state: State, origin: str) -> Topic:
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
        posts=1 + state.replies.get(week.topic_id, 0),
        cooked=cook_week(week, origin, state.emoji_set),
    )


def _news_topic(state: State, origin: str) -> Topic:
    """Older than every week, and with the word for papers in its title but no week in brackets."""
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
        posts=1 + state.replies.get(NEWS_TOPIC_ID, 0),
        cooked=cook_news(_NEWS_POST_ID, origin, state.emoji_set),
    )


def _json_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
