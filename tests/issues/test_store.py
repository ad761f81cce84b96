"""The store keeps every revision of a post, numbers papers in the order of arrival, and holds posts with problems."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database import Database
from issues.models import Issue, Paper
from issues.posts import Post
from issues.queries import (
    all_issues,
    arrivals_after,
    find,
    hold_reasons,
    is_quiet,
    papers_in_issue,
    shown_content,
)
from issues.serialize import paper_content, revision_content
from issues.store import ApplyResult, StoreError, apply, delete, dismiss, release
from tests.support.post_html import TITLE, URL, paper_html, post_html

NOW = datetime(2025, 6, 9, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUIET_PERIOD = timedelta(minutes=30)

OWL, HAWK, SWIFT = paper_html("올빼미 / Owl"), paper_html("매 / Hawk"), paper_html("제비 / Swift")
BROKEN = paper_html("제비 / Swift", abstract="<p>Only English.</p>")


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.sessions() as opened:
        yield opened


def post(*papers: str, topic_id: int = 7001, title: str = TITLE) -> Post:
    return Post(topic_id, title, URL, post_html(*papers), NOW - HOUR)


def apply_papers(session: Session, *papers: str, at: datetime = NOW, topic_id: int = 7001) -> ApplyResult:
    """Apply a post with these papers and commit."""
    result = apply(session, post(*papers, topic_id=topic_id), at)
    session.commit()
    return result


def rows(session: Session) -> list[tuple[int, str, int, bool, bool]]:
    """The number, English title and position of every paper, whether it is late, and whether it is withdrawn."""
    session.expire_all()
    return [
        (row.number, paper_content(row).title_en, row.position, row.late, row.withdrawn_at is not None)
        for row in session.scalars(select(Paper).order_by(Paper.number))
    ]


def test_the_papers_of_a_new_issue_are_numbered_in_the_order_of_the_post(session: Session) -> None:
    assert apply_papers(session, OWL, HAWK).outcome == "new"
    apply_papers(session, SWIFT, topic_id=7002)
    assert rows(session) == [
        (1, "Owl", 0, False, False),
        (2, "Hawk", 1, False, False),
        (3, "Swift", 0, False, False),
    ]


def test_the_same_post_again_is_unchanged_and_adds_no_revision(session: Session) -> None:
    issue = apply_papers(session, OWL).issue
    assert apply_papers(session, OWL, at=NOW + HOUR).outcome == "unchanged"
    assert (len(issue.revisions), issue.revision, issue.changed_at) == (1, 1, NOW)


def test_another_emoji_set_is_no_new_revision(session: Session) -> None:
    emoji = '<img src="/images/emoji/{}/fire.png" class="emoji" title=":fire:" alt=":fire:">'
    html = paper_html(intro=f"<p>소개 {emoji}</p>")
    issue = apply_papers(session, html.replace("{}", "apple")).issue
    assert apply_papers(session, html.replace("{}", "fluentui"), at=NOW + HOUR).outcome == "unchanged"
    assert len(issue.revisions) == 1


def test_other_anchors_of_headings_are_no_new_revision(session: Session) -> None:
    issue = apply_papers(session, OWL).issue
    assert apply_papers(session, OWL.replace("p-1-h-1", "p-1-h-7"), at=NOW + HOUR).outcome == "unchanged"
    assert len(issue.revisions) == 1


def test_a_paper_added_by_an_edit_is_late_and_comes_last_in_the_order_of_arrival(session: Session) -> None:
    apply_papers(session, OWL, HAWK)
    apply_papers(session, SWIFT, topic_id=7002)
    added = apply_papers(session, paper_html("참새 / Sparrow"), OWL, HAWK, at=NOW + HOUR)
    assert (added.outcome, added.changes.added) == ("changed", ("Sparrow",))
    assert rows(session) == [
        (1, "Owl", 1, False, False),
        (2, "Hawk", 2, False, False),
        (3, "Swift", 0, False, False),
        (4, "Sparrow", 0, True, False),
    ]
    assert [arrival.paper.title_en for arrival in papers_in_issue(added.issue)] == ["Sparrow", "Owl", "Hawk"]


def test_a_withdrawn_paper_keeps_its_row_and_returns_under_its_number(session: Session) -> None:
    apply_papers(session, OWL, HAWK)
    assert apply_papers(session, OWL, at=NOW + HOUR).changes.withdrawn == ("Hawk",)
    assert rows(session)[1] == (2, "Hawk", 1, False, True)
    assert [a.paper.title_en for a in arrivals_after(session, NOW + 9 * HOUR, QUIET_PERIOD)[0]] == ["Owl"]
    apply_papers(session, OWL, HAWK, at=NOW + 2 * HOUR)
    assert rows(session) == [(1, "Owl", 0, False, False), (2, "Hawk", 1, False, False)]


def test_a_correction_marks_only_its_paper_and_keeps_its_number(session: Session) -> None:
    apply_papers(session, OWL, HAWK)
    edited = apply_papers(session, OWL, HAWK.replace("초록의 한국어", "고친 한국어"), at=NOW + HOUR)
    assert [(c.paper, c.field) for c in edited.changes.corrected] == [("Hawk", "abstract_ko")]
    assert [(row.number, row.corrected_at) for row in edited.issue.papers] == [(1, None), (2, NOW + HOUR)]


def test_the_raw_html_of_every_revision_is_kept(session: Session) -> None:
    posts = [(OWL,), (OWL, HAWK), (OWL, BROKEN), (HAWK,)]
    for hour, papers in enumerate(posts):
        issue = apply_papers(session, *papers, at=NOW + hour * HOUR).issue
    session.expire_all()
    assert [revision.raw_html for revision in issue.revisions] == [post_html(*papers) for papers in posts]
    assert [revision.number for revision in issue.revisions] == [1, 2, 3, 4]
    assert [bool(revision.problems) for revision in issue.revisions] == [False, False, True, False]
    assert issue.revisions[1].changes["added"] == ["Hawk"]


def test_a_stored_revision_reads_back_as_it_was_parsed(session: Session) -> None:
    issue = apply_papers(session, OWL, HAWK).issue
    session.expire_all()
    content = revision_content(issue.revisions[0])
    assert [paper.title_en for paper in content.papers] == ["Owl", "Hawk"]
    assert content.papers == tuple(paper_content(row) for row in issue.papers)
    assert shown_content(issue) == content


def test_an_edit_that_fails_the_checks_is_held_and_the_revision_in_force_stays(session: Session) -> None:
    apply_papers(session, OWL)
    before = rows(session)
    held = apply_papers(session, OWL, BROKEN, at=NOW + HOUR)
    assert held.outcome == "held"
    assert held.problems == ("paper 2 (Swift) has no Korean abstract",)
    assert rows(session) == before
    assert (held.issue.revision, held.issue.held_revision, held.issue.changed_at) == (1, 2, NOW)
    assert hold_reasons(held.issue) == list(held.problems)
    assert [paper.title_en for paper in shown_content(held.issue).papers] == ["Owl"]


def test_a_held_edit_seen_again_stays_held_without_another_revision(session: Session) -> None:
    apply_papers(session, OWL)
    apply_papers(session, OWL, BROKEN, at=NOW + HOUR)
    again = apply_papers(session, OWL, BROKEN, at=NOW + 2 * HOUR)
    assert (again.outcome, len(again.issue.revisions)) == ("held", 2)


def test_a_release_puts_the_held_edit_in_force(session: Session) -> None:
    apply_papers(session, OWL)
    issue = apply_papers(session, OWL, BROKEN, at=NOW + HOUR).issue
    release(session, issue, NOW + 2 * HOUR)
    session.commit()
    assert rows(session) == [(1, "Owl", 0, False, False), (2, "Swift", 1, True, False)]
    assert (issue.revision, issue.held_revision, hold_reasons(issue)) == (2, None, [])
    assert issue.revisions[1].released_at == NOW + 2 * HOUR
    assert apply_papers(session, OWL, BROKEN, at=NOW + 3 * HOUR).outcome == "unchanged"


def test_a_decision_is_refused_when_nothing_is_held_or_no_paper_could_go_out(session: Session) -> None:
    issue = apply_papers(session, OWL).issue
    with pytest.raises(StoreError, match="is not held"):
        release(session, issue, NOW)
    with pytest.raises(StoreError, match="7001 is not held"):
        dismiss(issue)
    empty = apply(session, replace(post(topic_id=7002), html="<p>곧 올립니다.</p>"), NOW)
    with pytest.raises(StoreError, match="no paper"):
        release(session, empty.issue, NOW)


def test_a_held_first_revision_has_no_numbered_paper_until_it_is_released(session: Session) -> None:
    held = apply_papers(session, OWL, BROKEN)
    assert (held.outcome, held.issue.revision, held.issue.held_revision) == ("held", 0, 1)
    assert rows(session) == []
    assert arrivals_after(session, NOW + HOUR, QUIET_PERIOD) == ([], False)
    assert len(shown_content(held.issue).papers) == 2
    apply_papers(session, HAWK, topic_id=7002)
    release(session, held.issue, NOW + HOUR)
    assert [(number, name, late) for number, name, _, late, _ in rows(session)] == [
        (1, "Hawk", False),
        (2, "Owl", False),
        (3, "Swift", False),
    ]


def test_an_edit_that_corrects_a_held_first_revision_makes_the_issue_new(session: Session) -> None:
    apply_papers(session, OWL, BROKEN)
    corrected = apply_papers(session, OWL, SWIFT, at=NOW + HOUR)
    assert (corrected.outcome, corrected.issue.revision, corrected.issue.held_revision) == ("new", 2, None)
    assert corrected.issue.changed_at == NOW + HOUR
    assert [late for _, _, _, late, _ in rows(session)] == [False, False]


def test_a_post_that_comes_back_brings_back_only_the_papers_that_it_had(session: Session) -> None:
    apply_papers(session, OWL, HAWK)
    issue = apply_papers(session, OWL, at=NOW + HOUR).issue
    delete(session, issue, NOW + 2 * HOUR)
    delete(session, issue, NOW + 3 * HOUR)
    session.commit()
    assert [(row.withdrawn_at, issue.deleted_at) for row in issue.papers] == [
        (NOW + 2 * HOUR, NOW + 2 * HOUR),
        (NOW + HOUR, NOW + 2 * HOUR),
    ]
    back = apply_papers(session, OWL, at=NOW + 4 * HOUR)
    assert (back.issue.deleted_at, back.changes and back.changes.restored) == (None, ("Owl",))
    assert [is_withdrawn for *_, is_withdrawn in rows(session)] == [False, True]


def test_a_post_that_comes_back_with_an_edit_is_in_force_again(session: Session) -> None:
    issue = apply_papers(session, OWL).issue
    delete(session, issue, NOW + HOUR)
    session.commit()
    back = apply_papers(session, OWL, HAWK, at=NOW + 2 * HOUR)
    session.expire_all()
    assert (back.outcome, back.issue.deleted_at, back.issue.revision) == ("changed", None, 2)
    assert [is_withdrawn for *_, is_withdrawn in rows(session)] == [False, False]


def test_undoing_a_held_edit_ends_the_hold(session: Session) -> None:
    apply_papers(session, OWL, HAWK)
    before = rows(session)
    apply_papers(session, OWL, BROKEN, at=NOW + HOUR)
    undone = apply_papers(session, OWL, HAWK, at=NOW + 2 * HOUR)
    assert (undone.outcome, undone.issue.held_revision) == ("unchanged", None)
    assert rows(session) == before
    assert undone.issue.changed_at == NOW


def test_a_post_held_by_an_older_version_is_accepted_once_it_can_be_parsed(session: Session) -> None:
    issue = apply_papers(session, OWL, BROKEN).issue
    issue.revisions[0].raw_html = post_html(OWL, HAWK)
    session.commit()
    assert apply_papers(session, OWL, HAWK, at=NOW + HOUR).outcome == "new"


def test_arrivals_end_before_the_first_issue_that_is_not_quiet(session: Session) -> None:
    apply_papers(session, OWL, at=NOW)
    apply_papers(session, HAWK, topic_id=7002, at=NOW + HOUR)
    apply_papers(session, SWIFT, topic_id=7003, at=NOW)
    early, waiting = arrivals_after(session, NOW + HOUR + QUIET_PERIOD - timedelta(seconds=1), QUIET_PERIOD)
    assert ([arrival.paper.title_en for arrival in early], waiting) == (["Owl"], True)
    ready, waiting = arrivals_after(session, NOW + HOUR + QUIET_PERIOD, QUIET_PERIOD)
    assert ([arrival.number for arrival in ready], waiting) == ([1, 2, 3], False)


def test_an_edit_restarts_the_quiet_period_and_an_unchanged_post_does_not(session: Session) -> None:
    issue = apply_papers(session, OWL).issue
    apply_papers(session, OWL, at=NOW + HOUR)
    assert is_quiet(issue, NOW + HOUR, QUIET_PERIOD)
    apply_papers(session, OWL, HAWK, at=NOW + HOUR)
    assert not is_quiet(issue, NOW + HOUR, QUIET_PERIOD)
    assert is_quiet(issue, NOW + HOUR + QUIET_PERIOD, QUIET_PERIOD)


def test_an_issue_is_found_by_its_first_day_or_its_topic(session: Session) -> None:
    issue = apply_papers(session, OWL).issue
    assert find(session, "2025-06-02") is find(session, "7001") is issue
    for name in ("2025-06-03", "7", "last week"):
        with pytest.raises(StoreError, match=name):
            find(session, name)


def test_issues_are_listed_with_the_newest_week_first(session: Session) -> None:
    title = TITLE.replace("06/02 ~ 06/08", "06/09 ~ 06/15")
    apply(session, post(OWL, topic_id=7002, title=title), NOW)
    apply_papers(session, HAWK)
    assert [issue.topic_id for issue in all_issues(session)] == [7002, 7001]
    assert {type(issue) for issue in all_issues(session)} == {Issue}
