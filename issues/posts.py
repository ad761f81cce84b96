"""A forum topic's first post, as the feed or the topic's JSON brings it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Post:
    """A topic's first post as it arrived. `html` is untrusted, `published_at` is aware or None.

    `author` is the user name, which is unique in the forum, and empty if the source does not tell it. Only a topic's
    JSON tells it and the tags.
    """

    topic_id: int
    title: str
    url: str
    html: str
    published_at: datetime | None
    author: str = ""
    tags: tuple[str, ...] = ()
