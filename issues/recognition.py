"""Which topics are weekly posts, and whether their week can be told. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from issues.parse.weeks import Week, is_about_papers, parse_week
from issues.posts import Post

TAG = "ai-ml-papers-of-the-week"
MIN_LABELS = 2  # of each kind, in the text of a topic that must be a weekly post
_SERIES = re.compile(
    r"(?:이번\s?주|금주|주간).{0,40}(?:모음|주요|추천|선정)|papers? of the week|weekly papers?", re.IGNORECASE
)
_DATES = re.compile(r"\d{1,2}\s?[./월-]\s?\d{1,2}\s?일?\s?[~∼〜～–—-]\s?\d")


@dataclass(frozen=True)
class WeeklyPost:
    """A topic that is, or looks like, a weekly post. `problem` says why its week cannot be told, if so.

    The week is then that of the day on which it was published.
    """

    post: Post
    week: Week
    problem: str = ""


def recognize(
    post: Post, now: datetime, *, stored_week: Week | None = None, accepted_week: date | None = None
) -> WeeklyPost | None:
    """The weekly post that a topic is, or None for any other topic.

    `stored_week` is the week of the topic's issue, if it has one; `accepted_week` the first day that an operator gave.
    """
    published = (post.published_at or now).astimezone(UTC).date()
    week = parse_week(post.title, published)
    if week and week.is_possible and week.is_near(post.published_at and published):
        return WeeklyPost(post, week)
    if week is None and stored_week is None and not _looks_weekly(post):
        return None
    if accepted_week:
        return WeeklyPost(post, Week.beginning(accepted_week))
    likely = stored_week or Week.beginning(published - timedelta(days=published.weekday()))
    return WeeklyPost(post, likely, _problem(post, week, published))


def _looks_weekly(post: Post) -> bool:
    """Whether a topic without a week in its title looks like a weekly post: by its words, its tag, or its labels."""
    in_title = is_about_papers(post.title) and (_SERIES.search(post.title) or _DATES.search(post.title))
    has_labels = all(post.html.count(label) >= MIN_LABELS for label in ("논문 소개", "논문 링크"))
    return bool(in_title) or TAG in post.tags or has_labels


def _problem(post: Post, week: Week | None, published: date) -> str:
    title = post.title[:120]
    if week is None:
        what = "names no week that can be read"
    elif not week.is_possible and week.end < week.start:
        what = f"names a week that ends before it begins ({week.start} to {week.end})"
    elif not week.is_possible:
        what = f"names a week of {(week.end - week.start).days + 1} days"
    else:
        what = f"names a week that ends on {week.end}, far from the day of the post ({published})"
    return (
        f"the title “{title}” {what}; `paperboy issues accept {post.topic_id} --week YYYY-MM-DD` gives it one"
    )
