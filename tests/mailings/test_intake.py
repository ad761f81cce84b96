"""An ingest stores what is new and what was corrected, all of it or nothing."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from core.database import Database
from issues import fetch
from issues.fetch import FeedError
from issues.models import Feed, Paper, Revision
from issues.queries import feed_read_at
from issues.serialize import paper_content
from paperboy.demo.sample.data import weeks
from paperboy.demo.sample.forum import Forum, ForumPage
from paperboy.demo.sample.topics import NEWS_TOPIC_ID
from paperboy.demo.sample.truth import expected
from tests.support.intakes import HOUR, NOW, dump, error_of, read, stored_issues
from tests.support.parsed_posts import simplified_truth
from tests.support.servers.faulty_forum import FAULTS, FaultyServer


@pytest.fixture
def server(forum: Forum) -> Iterator[FaultyServer]:
    with FaultyServer(forum) as running:
        yield running


def test_a_first_ingest_stores_every_week_and_ignores_the_news(database: Database, forum: Forum) -> None:
    report = read(database, forum.feed_url)
    *older, newest = [week.topic_id for week in weeks()]
    assert [entry["topic_id"] for entry in report.new] == [newest]
    assert [entry["topic_id"] for entry in report.archived] == older
    assert [entry["topic_id"] for entry in report.ignored] == [NEWS_TOPIC_ID]
    assert report.line() == "1 new, 0 changed, 0 unchanged, 0 held, 1 ignored, 2 archived"
    assert stored_issues(database) == {
        week.topic_id: simplified_truth(expected(week.topic_id, edited=False)) for week in weeks()
    }


def test_a_second_ingest_only_stores_when_it_read_the_feed(database: Database, forum: Forum) -> None:
    read(database, forum.feed_url)
    before = dump(database)
    report = read(database, forum.feed_url, at=NOW + HOUR)
    assert report.not_modified
    assert "has not changed" in report.line()
    assert dump(database, "feeds") == {name: rows for name, rows in before.items() if name != "feeds"}
    with database.sessions.begin() as session:
        assert feed_read_at(session) == NOW + HOUR
        session.execute(update(Feed).values(fetched_at=NOW))
    assert dump(database) == before, "the validators of the feed are still there"


def test_an_edit_is_stored_with_all_its_changes(database: Database, forum: Forum) -> None:
    read(database, forum.feed_url)
    forum.state.edited = True
    report = read(database, forum.feed_url, at=NOW + HOUR)
    (changed,) = report.changed
    assert [name.partition(":")[0] for name in changed["added"]] == ["Signpost"]
    assert [change["field"] for change in changed["retitled"]] == ["title_ko"]
    assert [change["field"] for change in changed["corrected"]] == ["intro_ko"]
    assert changed["withdrawn"] == changed["moved"] == ()
    assert stored_issues(database) == {
        week.topic_id: simplified_truth(expected(week.topic_id, edited=True)) for week in weeks()
    }
    with database.sessions() as session:
        newest = session.scalars(select(Paper).order_by(Paper.number.desc())).first()
        assert newest
        assert newest.late
        assert paper_content(newest).title_en in changed["added"]


def test_replies_and_another_emoji_set_change_nothing(database: Database, forum: Forum) -> None:
    read(database, forum.feed_url)
    before = dump(database, "runs", "feeds")
    forum.state.replies = {week.topic_id: 2 for week in weeks()}
    forum.state.emoji_set = "apple"
    report = read(database, forum.feed_url, at=NOW + HOUR)
    assert len(report.unchanged) == 3
    assert dump(database, "runs", "feeds") == before


def test_no_fault_of_the_forum_changes_a_table_and_the_next_good_response_is_stored(
    database: Database, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(database, server.feed_url)
    before = dump(database)
    server.forum.state.edited = True
    monkeypatch.setattr(fetch, "MAX_SECONDS", 1)
    for fault in sorted(set(FAULTS) - {""}):
        server.fault = fault
        line = error_of(database, server.feed_url)
        assert (fault, dump(database), "\n" in line) == (fault, before, False)
    server.fault = ""
    assert len(read(database, server.feed_url, at=NOW + HOUR).changed) == 1


def test_nothing_is_stored_if_one_topic_cannot_be_read(database: Database, forum: Forum) -> None:
    before = dump(database)
    with pytest.raises(FeedError, match="404"):
        read(database, forum.feed_url, forum.topic_url(1))
    assert dump(database) == before


def test_a_backfill_by_topics_stores_the_same_as_the_feed(database: Database, forum: Forum) -> None:
    topics = [f"{forum.origin}/t/{week.slug}/{week.topic_id}" for week in weeks()]
    report = read(database, None, *topics)
    assert (len(report.new), len(report.archived)) == (1, 2)
    before = dump(database, "runs", "feeds")
    assert len(read(database, forum.feed_url, at=NOW + HOUR).unchanged) == 3
    assert dump(database, "runs", "feeds") == before


def test_an_issue_that_fails_its_checks_is_reported_with_the_reason(
    database: Database, forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Forum.find

    def find(self: Forum, path: str) -> ForumPage:
        page = real(self, path)
        assert isinstance(page, ForumPage)
        return page._replace(body=page.body.replace(b"https://arxiv.org", b"ftp://arxiv.org"))

    monkeypatch.setattr(Forum, "find", find)
    report = read(database, forum.feed_url)
    assert [entry["topic_id"] for entry in report.held] == [week.topic_id for week in weeks()]
    assert all("no link" in entry["reasons"][0] for entry in report.held)
    with database.sessions() as session:
        assert session.scalars(select(Paper)).all() == []
        assert len(session.scalars(select(Revision)).all()) == 3
