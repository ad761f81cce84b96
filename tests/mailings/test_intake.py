"""An ingest stores what is new and what was corrected, all of it or nothing."""

import importlib.util
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select, update

from core.database import Base, Database
from issues import fetch
from issues.fetch import FeedError
from issues.models import Feed, Issue, Paper, Revision
from issues.queries import feed_read_at, shown_content
from issues.serialize import paper_content
from mailings.ingest_report import IngestReport
from mailings.intake import ingest
from paperboy.demo.sample.data import weeks
from paperboy.demo.sample.forum import Forum, ForumPage, Redirect
from paperboy.demo.sample.topics import NEWS_TOPIC_ID
from paperboy.demo.sample.truth import expected
from tests.support.factories import INTAKE_RULES
from tests.support.parsed_posts import as_truth, simplified, simplified_truth
from tests.support.servers.faulty_forum import FAULTS, FaultyServer

NOW = datetime(2026, 3, 9, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def forum() -> Iterator[Forum]:
    with Forum() as running:
        yield running


@pytest.fixture
def server(forum: Forum) -> Iterator[FaultyServer]:
    with FaultyServer(forum) as running:
        yield running


def read(database: Database, url: str | None, *topics: str, at: datetime = NOW) -> IngestReport:
    return ingest(database.sessions, feed_url=url, topic_urls=topics, rules=INTAKE_RULES, now=at)


def dump(database: Database, *without: str) -> dict[str, list[Any]]:
    """Every row of every table, without some tables."""
    tables = [table for table in Base.metadata.sorted_tables if table.name not in without]
    with database.engine.connect() as connection:
        return {table.name: sorted(map(repr, connection.execute(select(table)))) for table in tables}


def stored_issues(database: Database) -> dict[int, dict[str, Any]]:
    """The content in force by topic id, in the form of the truth."""
    with database.sessions() as session:
        issues = session.scalars(select(Issue)).all()
        return {issue.topic_id: as_truth(shown_content(issue)) for issue in issues}


# --- the project's own forum --------------------------------------------------------


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


def error_of(database: Database, url: str) -> str:
    with pytest.raises(FeedError) as caught:
        read(database, url, at=NOW + HOUR)
    return str(caught.value)


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


# --- the shared forum of CI ---------------------------------------------------------


@pytest.fixture
def shared(shared_forum: Path) -> Iterator[Any]:
    """The running server of the shared forum."""
    spec = importlib.util.spec_from_file_location("shared_forum_serve", shared_forum / "serve.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.Server(0, shared_forum / "site", quiet=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def feed_of(shared: Any) -> str:
    return f"{shared.origin}/c/news/14.rss"


def truths(shared_forum: Path, state: str) -> dict[int, dict[str, Any]]:
    """The truth of each post by topic id, as far as a parser can know it."""
    files = (shared_forum / "site" / state / "truth").glob("*.json")
    found = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    return {truth["topic_id"]: simplified_truth(_comparable(truth)) for truth in found}


def _comparable(truth: dict[str, Any]) -> dict[str, Any]:
    issue = ("title", "week_start", "week_end", "overview_ko")
    paper = (
        *("title_ko", "title_en", "intro_ko", "intro_en", "abstract_ko", "abstract_en"),
        *("paper_url", "more_urls"),
    )
    papers = [{name: entry[name] for name in paper} for entry in truth["papers"]]
    summary = truth.get("summary_ko", [])
    return {name: truth[name] for name in issue} | {"summary_ko": summary, "papers": papers}


@pytest.mark.parametrize("state", ["base", "edited"])
def test_every_shared_post_is_stored_as_its_truth_says(
    database: Database, shared: Any, shared_forum: Path, state: str
) -> None:
    shared.state = state
    report = read(database, feed_of(shared))
    truth = truths(shared_forum, state)
    assert {entry["topic_id"] for entry in (*report.new, *report.archived)} == set(truth)
    assert len(report.new) == 1
    assert stored_issues(database) == truth


def test_the_shared_forum_gets_a_conditional_request_and_its_304_changes_no_issue(
    database: Database, shared: Any
) -> None:
    read(database, feed_of(shared))
    before = dump(database)
    assert read(database, feed_of(shared), at=NOW + HOUR).not_modified
    first, second = [request for request in shared.requests if request["path"].endswith(".rss")]
    assert (first["status"], first["if_none_match"]) == (200, None)
    assert (second["status"], bool(second["if_none_match"])) == (304, True)
    del before["feeds"]
    assert dump(database, "feeds") == before


def test_the_edit_of_the_shared_forum_is_recognised_exactly(
    database: Database, shared: Any, shared_forum: Path
) -> None:
    read(database, feed_of(shared))
    shared.state = "edited"
    (changed,) = read(database, feed_of(shared), at=NOW + HOUR).changed
    documented = json.loads((shared_forum / "site" / "edited" / "changes.json").read_text(encoding="utf-8"))
    assert changed["topic_id"] == documented["topic_id"]
    assert list(changed["added"]) == documented["added"]
    assert changed["withdrawn"] == changed["moved"] == ()
    found = [*changed["retitled"], *changed["corrected"]]
    assert [_simplified_change(change) for change in found] == [
        _simplified_change(change) for change in documented["changed"]
    ]
    assert stored_issues(database) == truths(shared_forum, "edited")


def _simplified_change(change: dict[str, Any]) -> dict[str, str]:
    names = ("paper", "field", "before", "after")
    return {name: simplified(change[name]) for name in names}


SHARED_FAULTS = (
    "500",
    "429",
    "slow",
    "truncated",
    "cut",
    "html",
    "redirect-loop",
    "huge",
    "bomb",
    "entities",
    "drop",
)


def test_no_fault_of_the_shared_forum_changes_what_is_stored(
    database: Database, shared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(database, feed_of(shared))
    before = dump(database)
    shared.state = "edited"
    monkeypatch.setattr(fetch, "MAX_SECONDS", 1)
    for fault in SHARED_FAULTS:
        shared.fault, shared.fault_times = fault, -1
        line = error_of(database, feed_of(shared))
        assert (fault, dump(database), "\n" in line) == (fault, before, False)
    shared.fault = ""
    assert len(read(database, feed_of(shared), at=NOW + HOUR).changed) == 1


@pytest.mark.parametrize("tags", ["", "?tags=names"])
def test_topics_of_the_shared_forum_are_stored_like_its_feed(
    database: Database, shared: Any, shared_forum: Path, tags: str
) -> None:
    truth = truths(shared_forum, "base")
    report = read(database, None, *(f"{shared.origin}/t/{number}.json{tags}" for number in truth))
    assert {entry["topic_id"] for entry in (*report.new, *report.archived)} == set(truth)
    assert stored_issues(database) == truth
    assert len(read(database, feed_of(shared), at=NOW + HOUR).unchanged) == len(truth)


# --- topics by themselves -----------------------------------------------------------


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
