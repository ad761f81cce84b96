"""The tables of what was published: feeds, issues, their revisions, and papers."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.database import Base


class Feed(Base):
    """The last good answer of a feed: its validators for a conditional request (RFC 9110, 13.1), and its time."""

    __tablename__ = "feeds"

    url: Mapped[str] = mapped_column(primary_key=True)
    etag: Mapped[str | None]
    last_modified: Mapped[str | None]
    fetched_at: Mapped[datetime]


class Issue(Base):
    """One weekly post, in the state that is in force: that of `revision`, which is 0 while the first one is held.

    - `author` is the forum user name of who wrote the post, as the topic's JSON gives it; empty if nobody knows yet.
    - `accepted_week` is the first day of the week that an operator gave, for a title that names none.
    - An `archived` issue is kept for the archive and never counts as unread.
    - `deleted_at` is when the forum said that the post is gone. Its papers are withdrawn then.
    - `tags` are those of the topic in the forum.
    - `note_ko` and `note_en` are what operators say to subscribers in the mails that open the issue: plain text, one
      paragraph a line, empty if they say nothing.
    """

    __tablename__ = "issues"

    id: Mapped[int] = mapped_column(primary_key=True)
    topic_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    title: Mapped[str]
    url: Mapped[str]
    week_start: Mapped[date] = mapped_column(index=True)
    week_end: Mapped[date]
    overview: Mapped[list[Any]]
    summary: Mapped[list[Any]]
    closing: Mapped[list[Any]] = mapped_column(default=list)
    published_at: Mapped[datetime]
    first_seen_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(default=0)
    held_revision: Mapped[int | None]
    author: Mapped[str] = mapped_column(default="")
    accepted_week: Mapped[date | None]
    archived: Mapped[bool] = mapped_column(default=False)
    deleted_at: Mapped[datetime | None]
    tags: Mapped[list[Any]] = mapped_column(default=list)
    note_ko: Mapped[str] = mapped_column(default="")
    note_en: Mapped[str] = mapped_column(default="")
    papers: Mapped[list["Paper"]] = relationship(order_by="Paper.position", back_populates="issue")
    revisions: Mapped[list["Revision"]] = relationship(order_by="Revision.number", back_populates="issue")


class Revision(Base):
    """One state of a post: its raw HTML, what was parsed from it, and what it changed."""

    __tablename__ = "revisions"
    __table_args__ = (UniqueConstraint("issue_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    issue_id: Mapped[int] = mapped_column(ForeignKey("issues.id"), index=True)
    number: Mapped[int]
    title: Mapped[str]
    raw_html: Mapped[str]
    content: Mapped[dict[str, Any]]
    changes: Mapped[dict[str, Any]]
    problems: Mapped[list[Any]]
    seen_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    issue: Mapped[Issue] = relationship(back_populates="revisions")


class Paper(Base):
    """One paper. `number` identifies it for ever, for example in editions.

    - `arrival_order` is its place in the order of arrival over all issues, which cursors compare. A paper that is restored
      arrives again, so that those who lack it are not past it.
    - `title_ko` and `title_en` are those of the content, for lists.
    - `search_text` is what the search of the archive reads; see `issues.search`.
    - `late` marks a paper that an edit added.
    - An `archived` paper is kept for the archive and never counts as unread.
    - A paper that was withdrawn from its post keeps its row. `restored_at` says that it came back, so that some
      subscribers may have had it before.
    - `pruned_at` is since when deliveries of it have been pruned, so that nobody can tell any more who has had it.
    """

    __tablename__ = "papers"

    id: Mapped[int] = mapped_column(primary_key=True)
    issue_id: Mapped[int] = mapped_column(ForeignKey("issues.id"), index=True)
    number: Mapped[int] = mapped_column(unique=True)
    arrival_order: Mapped[int] = mapped_column(index=True)
    position: Mapped[int]
    content: Mapped[dict[str, Any]]
    title_ko: Mapped[str] = mapped_column(default="")
    title_en: Mapped[str] = mapped_column(default="")
    search_text: Mapped[str] = mapped_column(default="", deferred=True)
    late: Mapped[bool] = mapped_column(default=False)
    archived: Mapped[bool] = mapped_column(default=False)
    withdrawn_at: Mapped[datetime | None]
    restored_at: Mapped[datetime | None]
    corrected_at: Mapped[datetime | None]
    pruned_at: Mapped[datetime | None]
    issue: Mapped[Issue] = relationship(back_populates="papers")
