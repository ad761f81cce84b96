"""Gists are stored with the revision and the paper, and what was stored before there were gists gets them when it is read."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from core.database import Database
from issues.posts import Post
from issues.queries import papers_in_issue, shown_content
from issues.serialize import paper_content
from issues.store import apply
from tests.support.post_html import GREETING, TITLE, URL, heading, paper_html, post_html

NOW = datetime(2025, 6, 9, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
GIST = "밤에만 학습하여 전기를 아끼는 방법을 제안합니다."
OWL = paper_html("올빼미 / Owl", intro=f"<p>{GIST}</p>")


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.sessions() as opened:
        yield opened


def post(front: str = GREETING) -> Post:
    return Post(7001, TITLE, URL, post_html(OWL, front=front), NOW - HOUR)


def test_a_post_stored_without_gists_has_them_and_is_not_corrected_when_it_is_seen_again(
    session: Session,
) -> None:
    issue = apply(session, post(), NOW).issue
    (paper,), (revision,) = issue.papers, issue.revisions
    assert paper.content["gist_ko"] == revision.content["papers"][0]["gist_ko"] == GIST
    paper.content = {name: value for name, value in paper.content.items() if not name.startswith("gist_")}
    revision.content = revision.content | {"papers": [paper.content]}
    session.commit()
    assert paper_content(paper).gist_ko == shown_content(issue).papers[0].gist_ko == GIST
    again = apply(session, post(), NOW + HOUR)
    session.commit()
    assert (again.outcome, issue.changed_at, len(issue.revisions)) == ("unchanged", NOW, 1)
    assert paper.corrected_at is None
    assert paper.content["gist_ko"] == revision.content["papers"][0]["gist_ko"] == GIST


def test_the_mails_list_holds_what_became_no_gist_and_the_archives_list_everything(session: Session) -> None:
    lines = "<p>한 편뿐인 주입니다.</p><ul><li>Owl: 밤에만 배워 전기를 아낍니다.</li></ul>"
    issue = apply(session, post(GREETING + heading("논문별 핵심 요약", level=2) + lines), NOW).issue
    (arrival,) = papers_in_issue(issue)
    assert arrival.paper.gist_ko == "밤에만 배워 전기를 아낍니다."
    assert [block.text for block in arrival.issue.summary] == ["한 편뿐인 주입니다."]
    assert len(issue.summary) == 2
