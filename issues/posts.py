"""A forum topic's first post, as the feed or the topic's JSON brings it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Post:
    """A topic's first post as it arrived. `html` is untrusted, `published_at` is aware or None."""

    topic_id: int
    title: str
    url: str
    html: str
    published_at: datetime | None
