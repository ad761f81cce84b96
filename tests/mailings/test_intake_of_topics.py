"""Recent topics are read by themselves, whatever the feed says of them."""

import re
from datetime import UTC, datetime, time
from typing import Any

import pytest
from sqlalchemy import select, update

from core.database import Database
from issues.models import Issue
from paperboy.demo.sample.data import weeks
from paperboy.demo.sample.forum import Forum, ForumPage, Redirect
from tests.support.intakes import HOUR, NOW, feed_of, read


def topic_requests(shared: Any) -> list[str]:
    return [request["path"] for request in shared.requests if request["path"].endswith(".json")]


def test_recent_topics_are_read_by_themselves_once_a_day_and_conditionally(
    sqlite_database: Database, shared: Any
) -> None:
    read(sqlite_database, feed_of(shared))
    shared.requests.clear()
    for hour in range(1, 30):
        read(sqlite_database, feed_of(shared), at=NOW + hour * HOUR)
    assert topic_requests(shared) == ["/t/9613.json"], "the others are older than eight weeks"
    (request,) = [request for request in shared.requests if request["path"].endswith(".json")]
    assert (request["status"], bool(request["if_none_match"])) == (304, True)


def test_an_edit_is_seen_after_the_topic_has_left_the_feed(
    sqlite_database: Database, forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = next(n for n, week in enumerate(weeks(edited=True)) if week != weeks()[n])
    forum.state.weeks = number + 1
    monday = datetime.combine(weeks()[number].end, time(), UTC) + 24 * HOUR
    read(sqlite_database, forum.feed_url, at=monday)
    forum.state.edited = True
    real = Forum.find

    def find(self: Forum, path: str) -> ForumPage | Redirect | None:
        page = real(self, path)
        if not (isinstance(page, ForumPage) and path.endswith(".rss")):
            return page
        return page._replace(body=re.sub(rb"<item>.*</item>", b"", page.body, flags=re.DOTALL))

    monkeypatch.setattr(Forum, "find", find)
    (changed,) = read(sqlite_database, forum.feed_url, at=monday + 24 * HOUR).changed
    assert changed["topic_id"] == weeks()[number].topic_id


def test_a_deleted_topic_is_reported_and_its_papers_are_withdrawn(
    sqlite_database: Database, forum: Forum
) -> None:
    read(sqlite_database, forum.feed_url)
    forum.state.weeks = 2
    report = read(sqlite_database, forum.feed_url, at=NOW + 24 * HOUR)
    assert [entry["topic_id"] for entry in report.deleted] == [weeks()[2].topic_id]
    with sqlite_database.sessions() as session:
        issue = session.scalars(select(Issue).where(Issue.topic_id == weeks()[2].topic_id)).one()
        assert {paper.withdrawn_at is None for paper in issue.papers} == {False}


def test_after_an_upgrade_the_first_read_learns_the_authors(sqlite_database: Database, forum: Forum) -> None:
    forum.state.weeks = 2
    read(sqlite_database, forum.feed_url, at=NOW - 7 * 24 * HOUR)
    with sqlite_database.sessions.begin() as session:
        session.execute(update(Issue).values(author=""))  # as the migration leaves it
    forum.state.weeks = 3
    report = read(sqlite_database, forum.feed_url)
    assert (len(report.new), report.held) == (1, [])
    with sqlite_database.sessions() as session:
        assert set(session.scalars(select(Issue.author))) == {"weekly_papers"}


def test_the_author_in_the_feed_is_not_believed(
    sqlite_database: Database, forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The feed names the usual author, and the topic's JSON somebody else."""
    forum.state.weeks = 2
    read(sqlite_database, forum.feed_url, at=NOW - 7 * 24 * HOUR)
    real, newest = Forum.find, weeks()[2].topic_id

    def find(self: Forum, path: str) -> ForumPage | Redirect | None:
        page = real(self, path)
        if not (isinstance(page, ForumPage) and path.endswith(f"{newest}.json")):
            return page
        return page._replace(body=page.body.replace(b"weekly_papers", b"somebody"))

    monkeypatch.setattr(Forum, "find", find)
    forum.state.weeks = 3
    (held,) = read(sqlite_database, forum.feed_url).held
    assert held["topic_id"] == newest
    assert "somebody may not publish" in held["reason"]


def test_a_post_that_links_to_the_topic_of_another_author_does_not_get_their_name(
    sqlite_database: Database, forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    forum.state.weeks = 2
    read(sqlite_database, forum.feed_url, at=NOW - 7 * 24 * HOUR)
    real, older, newest = Forum.find, weeks()[1], weeks()[2]

    def find(self: Forum, path: str) -> ForumPage | Redirect | None:
        page = real(self, path)
        if not (isinstance(page, ForumPage) and path.endswith(".rss")):
            return page
        link = f"/t/{older.slug}/{older.topic_id}<"
        return page._replace(
            body=page.body.replace(f"/t/{newest.slug}/{newest.topic_id}<".encode(), link.encode())
        )

    monkeypatch.setattr(Forum, "find", find)
    forum.state.weeks = 3
    (held,) = read(sqlite_database, forum.feed_url).held
    assert held["topic_id"] == newest.topic_id
    assert f"is the address of topic {older.topic_id}, not of topic {newest.topic_id}" in held["reason"]


def test_a_topic_that_could_not_be_read_is_read_again_though_the_feed_has_not_changed(
    sqlite_database: Database, forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Forum.find
    monkeypatch.setattr(Forum, "find", lambda self, path: None if ".json" in path else real(self, path))
    report = read(sqlite_database, forum.feed_url)
    assert len(report.held) == 3
    assert all("its author is not known" in entry["reason"] for entry in report.held)
    monkeypatch.undo()
    again = read(sqlite_database, forum.feed_url, at=NOW + HOUR)
    assert (len(again.new), len(again.archived), again.held) == (1, 2, [])
