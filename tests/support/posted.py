"""Takes posts into the store as an intake does, without a forum and without a trial rendering."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime, timedelta

from core.database import Database
from issues.posts import Post
from mailings.context import IntakeRules
from mailings.forum import ForumReader
from mailings.ingest_report import IngestReport
from mailings.intake import take_posts
from tests.support.factories import INTAKE_RULES
from tests.support.post_html import heading, onebox, post_html

MONDAY = date(2026, 6, 15)


def paper(name: str, *, words: str = "", address: str = "") -> str:
    """The HTML of a paper. Its texts are its own, and `words` are added to its introduction."""
    text = " ".join(f"{name}{index}" for index in range(15))
    number = sum(name.encode()) % 100_000
    return (
        heading(f"{name} 논문 / {name} Paper", 2)
        + heading("논문 소개")
        + f"<p>{text} 방법을 소개합니다. {words}</p>"
        + heading("초록(Abstract)")
        + f"<p>{text} 초록입니다.</p><blockquote><p>The abstract of {name}.</p></blockquote>"
        + heading("논문 링크")
        + onebox(address or f"https://arxiv.org/abs/2606.{number:05}")
    )


def weekly_post(
    *papers: str,
    topic_id: int = 9001,
    start: date = MONDAY,
    title: str = "",
    author: str = "editor",
    published_at: datetime | None = None,
) -> Post:
    """The weekly post of the week from `start` with the HTML of these papers."""
    end = start + timedelta(days=6)
    title = title or f"[{start:%Y/%m/%d} ~ {end:%m/%d}] 이번 주에 살펴볼 만한 AI/ML 논문 모음"
    published_at = published_at or datetime.fromisoformat(f"{end}T21:00:00+00:00")
    html = post_html(*papers) if papers else post_html(paper("Owl"), paper("Hawk"))
    return Post(topic_id, title, f"https://forum.example/t/{topic_id}", html, published_at, author)


def take(
    database: Database,
    *posts: Post,
    at: datetime,
    gone: Collection[int] = (),
    authors: tuple[str, ...] = (),
) -> IngestReport:
    """What an intake of these posts finds. `gone` are topics that the forum has deleted."""
    forum = ForumReader(database.sessions, ())
    forum.state.posts, forum.state.gone = list(posts), set(gone)
    rules: IntakeRules = replace(INTAKE_RULES, authors=authors)
    return take_posts(database.sessions, forum, rules, at)
