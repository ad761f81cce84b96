"""A new post becomes an issue by itself only if nothing about it is in doubt. Otherwise it is held, with the reason."""

from datetime import UTC, date, datetime, timedelta

import pytest

from core.database import Database
from core.frequencies import Frequency
from issues.queries import arrivals_after, find
from issues.store import StoreError, dismiss
from mailings import intake
from mailings.digest_run import run_digest
from mailings.held_issues import accept_week, release_issue
from tests.support.factories import INTAKE_RULES, RULES, add_subscriber, sending_context_at
from tests.support.outbox import recipients
from tests.support.posted import MONDAY, paper, take, weekly_post
from tests.support.servers.smtp import ScriptedServer

SUNDAY = datetime(2026, 6, 21, 22, 0, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture(autouse=True)
def _without_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "faults_of", lambda *_issues, **_rules: {})


def reason(database: Database, topic: int = 9001) -> str:
    with database.sessions() as session:
        issue = find(session, str(topic))
        return "; ".join(issue.revisions[-1].problems) if issue.held_revision else ""


def release(database: Database, topic: int, at: datetime = SUNDAY) -> None:
    with database.sessions.begin() as session:
        release_issue(session, find(session, str(topic)), at)


def unread(database: Database) -> list[str]:
    """The titles of all papers that count as unread for a new subscriber, in the order in which they arrive."""
    with database.sessions() as session:
        arrived, _ = arrivals_after(session, SUNDAY + 4 * WEEK, timedelta(0))
        return [arrival.paper.title_en for arrival in arrived]


# --- authors ------------------------------------------------------------------------


def test_an_empty_store_takes_the_author_of_the_newest_issue(sqlite_database: Database) -> None:
    older = weekly_post(paper("Old"), topic_id=9000, start=MONDAY - WEEK, author="somebody")
    report = take(sqlite_database, weekly_post(), older, at=SUNDAY)
    assert [entry["topic_id"] for entry in report.new] == [9001]
    assert [entry["topic_id"] for entry in report.held] == [9000]
    assert "author somebody may not publish" in report.held[0]["reason"]


def test_an_author_without_an_issue_is_held_until_a_release(sqlite_database: Database) -> None:
    take(sqlite_database, weekly_post(), at=SUNDAY)
    next_week = weekly_post(paper("New"), topic_id=9002, start=MONDAY + WEEK, author="guest")
    assert [e["topic_id"] for e in take(sqlite_database, next_week, at=SUNDAY + WEEK).held] == [9002]
    release(sqlite_database, 9002, SUNDAY + WEEK)
    third = weekly_post(paper("Third"), topic_id=9003, start=MONDAY + 2 * WEEK, author="guest")
    assert [e["topic_id"] for e in take(sqlite_database, third, at=SUNDAY + 2 * WEEK).new] == [9003]


def test_only_authors_in_the_settings_may_publish(sqlite_database: Database) -> None:
    report = take(sqlite_database, weekly_post(author="Editor"), at=SUNDAY, authors=("editor",))
    assert len(report.new) == 1
    other = weekly_post(paper("New"), topic_id=9002, start=MONDAY + WEEK, author="guest")
    assert len(take(sqlite_database, other, at=SUNDAY + WEEK, authors=("editor",)).held) == 1


def test_a_post_whose_author_is_not_known_is_held(sqlite_database: Database) -> None:
    take(sqlite_database, weekly_post(author=""), at=SUNDAY)
    assert "its author is not known" in reason(sqlite_database)
    take(sqlite_database, weekly_post(), at=SUNDAY + timedelta(hours=1))
    assert reason(sqlite_database) == "", "the topic could be read an hour later"


# --- weeks --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dates", "problem"),
    [
        ("", "names no week that can be read"),
        ("[2026/06 셋째 주] ", "names no week that can be read"),
        (
            "[2026/06/21 ~ 2026/06/15] ",
            "names a week that ends before it begins (2026-06-21 to 2026-06-15)",
        ),
        ("[2026/06/01 ~ 06/21] ", "names a week of 21 days"),
        (
            "[2025/06/15 ~ 06/21] ",
            "names a week that ends on 2025-06-21, far from the day of the post (2026-06-21)",
        ),
    ],
)
def test_a_weekly_post_whose_week_cannot_be_told_is_held_until_it_gets_one(
    sqlite_database: Database, dates: str, problem: str
) -> None:
    title = f"{dates}이번 주에 살펴볼 만한 AI/ML 논문 모음"
    report = take(sqlite_database, weekly_post(title=title), at=SUNDAY)
    way_out = "`paperboy issues accept 9001 --week YYYY-MM-DD` gives it one"
    assert report.held[0]["reason"].startswith(f"the title “{title}” {problem}; {way_out}")
    with pytest.raises(StoreError, match="issues accept"):
        release(sqlite_database, 9001)
    accepted = accept_week(sqlite_database.sessions, "9001", MONDAY, rules=INTAKE_RULES, now=SUNDAY)
    assert [entry["issue"] for entry in accepted.new] == ["2026-06-15"]
    again = take(sqlite_database, weekly_post(title=title), at=SUNDAY + timedelta(hours=1))
    assert len(again.unchanged) == 1, "the operator's word is kept"


@pytest.mark.parametrize("day", [date(2062, 6, 15), date(2020, 6, 15), date(9999, 12, 31)])
def test_a_week_far_from_the_post_is_not_accepted(sqlite_database: Database, day: date) -> None:
    take(sqlite_database, weekly_post(title="이번 주의 주요 ML 논문"), at=SUNDAY)
    with pytest.raises(StoreError, match="far from the day of the post"):
        accept_week(sqlite_database.sessions, "9001", day, rules=INTAKE_RULES, now=SUNDAY)


def test_an_issue_whose_title_names_its_week_takes_no_other(sqlite_database: Database) -> None:
    take(sqlite_database, weekly_post(author=""), at=SUNDAY)
    with pytest.raises(StoreError, match="does not wait for a week"):
        accept_week(sqlite_database.sessions, "9001", MONDAY, rules=INTAKE_RULES, now=SUNDAY)


def test_a_second_topic_of_a_week_brings_only_papers_that_nobody_has_had(
    sqlite_database: Database, server: ScriptedServer
) -> None:
    take(sqlite_database, weekly_post(), at=SUNDAY)
    with sqlite_database.sessions.begin() as session:
        add_subscriber(session, now=SUNDAY)
    morning = SUNDAY + timedelta(hours=1)
    with sending_context_at(sqlite_database, server, morning) as context:
        run_digest(context, Frequency.WEEKLY, local_now=morning, rules=RULES)
    repost = weekly_post(
        paper("Owl", address="https://huggingface.co/papers/2606.00306"),
        paper("Hawk"),
        paper("Kite"),
        topic_id=9002,
    )
    report = take(sqlite_database, repost, at=SUNDAY + timedelta(hours=2))
    assert "another topic has the issue of this week" in report.held[0]["reason"]
    assert "brings or has brought 2 of its papers" in report.held[0]["reason"]
    release(sqlite_database, 9002, SUNDAY + timedelta(hours=3))
    with sending_context_at(sqlite_database, server, morning + WEEK) as context:
        digest = run_digest(context, Frequency.WEEKLY, local_now=morning + WEEK, rules=RULES)
    assert [edition["papers"] for edition in digest.editions] == [1]
    assert recipients(server) == ["minji@example.com"] * 2


def test_an_old_week_is_kept_for_the_archive_until_the_operator_mails_it(sqlite_database: Database) -> None:
    take(sqlite_database, weekly_post(), at=SUNDAY)
    old = weekly_post(paper("Old"), topic_id=8000, start=MONDAY - 6 * WEEK)
    report = take(sqlite_database, old, at=SUNDAY + timedelta(hours=1))
    assert [entry["topic_id"] for entry in report.archived] == [8000]
    assert unread(sqlite_database) == ["Owl Paper", "Hawk Paper"]
    release(sqlite_database, 8000, SUNDAY + timedelta(hours=2))
    assert unread(sqlite_database) == ["Owl Paper", "Hawk Paper", "Old Paper"]


def test_on_the_first_read_only_the_newest_issue_is_news_for_imported_readers(
    sqlite_database: Database, server: ScriptedServer
) -> None:
    with sqlite_database.sessions.begin() as session:
        add_subscriber(session, now=SUNDAY - WEEK)
    posts = [
        weekly_post(paper(f"P{week}"), topic_id=9000 - week, start=MONDAY - week * WEEK) for week in range(5)
    ]
    report = take(sqlite_database, *posts, at=SUNDAY)
    assert (len(report.new), len(report.archived)) == (1, 4)
    morning = SUNDAY + timedelta(hours=1)
    with sending_context_at(sqlite_database, server, morning) as context:
        digest = run_digest(context, Frequency.WEEKLY, local_now=morning, rules=RULES)
    assert [edition["papers"] for edition in digest.editions] == [1]


def test_a_member_with_no_papers_does_not_become_the_author_of_an_empty_store(
    sqlite_database: Database,
) -> None:
    meeting = weekly_post(
        "<p>함께 읽을 분을 찾습니다.</p>", topic_id=9900, start=MONDAY + WEEK, author="member"
    )
    report = take(sqlite_database, weekly_post(), meeting, at=SUNDAY)
    assert [entry["topic_id"] for entry in report.new] == [9001]
    assert [entry["topic_id"] for entry in report.held] == [9900]
    with sqlite_database.sessions.begin() as session:
        dismiss(find(session, "9900"))
    again = take(sqlite_database, meeting, at=SUNDAY + timedelta(hours=1))
    assert (len(again.held), len(again.unchanged)) == (0, 1), "it is left alone until it is edited"


def test_an_edit_that_adds_a_paper_of_another_topic_is_held(sqlite_database: Database) -> None:
    take(sqlite_database, weekly_post(), at=SUNDAY)
    second = weekly_post(paper("Kite"), topic_id=9002, start=MONDAY + WEEK)
    take(sqlite_database, second, at=SUNDAY + WEEK)
    edited = weekly_post(paper("Kite"), paper("Owl"), topic_id=9002, start=MONDAY + WEEK)
    report = take(sqlite_database, edited, at=SUNDAY + WEEK + timedelta(hours=1))
    assert "another topic brings or has brought" in report.held[0]["reason"]
    release(sqlite_database, 9002, SUNDAY + WEEK + timedelta(hours=2))
    assert unread(sqlite_database) == ["Owl Paper", "Hawk Paper", "Kite Paper"]


def test_a_deleted_post_that_is_posted_again_brings_each_reader_what_they_lack(
    sqlite_database: Database, server: ScriptedServer
) -> None:
    papers = (paper("Owl"), paper("Hawk"), paper("Kite"), paper("Wren"))
    take(sqlite_database, weekly_post(*papers), at=SUNDAY)
    with sqlite_database.sessions.begin() as session:
        add_subscriber(session, "weekly@example.com", now=SUNDAY)
        add_subscriber(session, "daily@example.com", frequency="daily", now=SUNDAY)
    morning = SUNDAY + timedelta(hours=1)
    with sending_context_at(sqlite_database, server, morning) as context:
        for frequency in Frequency:
            run_digest(context, frequency, local_now=morning, rules=RULES)
    take(sqlite_database, at=morning + timedelta(hours=2), gone=[9001])
    take(sqlite_database, weekly_post(*papers, topic_id=9002), at=morning + timedelta(hours=3))
    release(sqlite_database, 9002, morning + timedelta(hours=4))
    tomorrow = morning + timedelta(days=1)
    with sending_context_at(sqlite_database, server, tomorrow) as context:
        daily = run_digest(context, Frequency.DAILY, local_now=tomorrow, rules=RULES)
    with sending_context_at(sqlite_database, server, morning + WEEK) as context:
        weekly = run_digest(context, Frequency.WEEKLY, local_now=morning + WEEK, rules=RULES)
    assert [edition["papers"] for edition in daily.editions] == [2]
    assert weekly.editions == []


def test_a_post_that_cannot_be_read_holds_only_itself(sqlite_database: Database) -> None:
    take(sqlite_database, weekly_post(), at=SUNDAY)
    unreadable = weekly_post("<b>" * 5000, topic_id=9002, start=MONDAY + WEEK)
    good = weekly_post(paper("Kite"), topic_id=9003, start=MONDAY + 2 * WEEK)
    report = take(sqlite_database, unreadable, good, at=SUNDAY + 2 * WEEK)
    assert [entry["topic_id"] for entry in report.held] == [9002]
    assert [entry["topic_id"] for entry in report.new] == [9003]
