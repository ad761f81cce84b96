"""What operators decide on the page of an issue: the week of one that names none, and what becomes of the archive."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select

from core.database import Database
from issues import store
from issues.models import Issue
from mailings.forum import ForumReader
from mailings.intake import take_posts
from tests.admin.operator_client import NEWEST, field_value, proof_of_session, sign_in, visible_text
from tests.support.all_mails import EDITED, sample_posts
from tests.support.factories import INTAKE_RULES
from tests.support.site import Site

WITHOUT_WEEK = 9700  # the topic id of a weekly post whose title names no week


def issue_of_topic(database: Database, topic_id: int) -> Issue:
    with database.sessions() as session:
        return session.scalars(select(Issue).where(Issue.topic_id == topic_id)).one()


@pytest.fixture
def page_without_week(operator_site: Site) -> str:
    """The page of a held issue whose title names no week. Its papers are those of no other issue."""
    now = datetime.now(UTC)
    post = replace(
        sample_posts()[0],
        topic_id=WITHOUT_WEEK,
        title="이번 주에 살펴볼 만한 AI/ML 논문 모음",
        published_at=now - timedelta(days=1),
        author=issue_of_topic(operator_site.database, NEWEST).author,
    )
    post = replace(post, html=post.html.replace("https://arxiv.org/abs/", "https://arxiv.org/abs/19"))
    forum = ForumReader(operator_site.database.sessions, INTAKE_RULES.allowed_hosts)
    forum.state.posts.append(post)
    take_posts(operator_site.database.sessions, forum, INTAKE_RULES, now)
    sign_in(operator_site)
    return f"/operator/issues/{WITHOUT_WEEK}"


def accept(site: Site, page: str, week: str, revision: str = "1") -> httpx.Response:
    form = {"proof": proof_of_session(site), "revision": revision, "week": week}
    return site.client.post(f"{page}/accept", data=form)


def test_an_issue_without_a_week_gets_one_by_a_form(operator_site: Site, page_without_week: str) -> None:
    shown = operator_site.client.get(page_without_week)
    assert "names no week that can be read" in visible_text(shown)
    assert field_value(shown.text, "revision") == "1"
    assert "Release it as it is" not in shown.text, "it cannot be released without a week"
    today = datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday() + 7)
    for _ in range(2):
        assert accept(operator_site, page_without_week, monday.isoformat()).status_code == 303
    issue = issue_of_topic(operator_site.database, WITHOUT_WEEK)
    assert (issue.held_revision, issue.week_start) == (None, monday)
    assert issue.revision > 0
    after = operator_site.client.get(page_without_week)
    assert "First day of its week" not in visible_text(after)


def test_only_a_day_for_the_issue_that_the_page_showed_is_taken(
    operator_site: Site, page_without_week: str
) -> None:
    other = accept(operator_site, page_without_week, "2026-06-15", revision="7")
    assert other.status_code == 409
    assert "has changed since this page was shown" in visible_text(other)
    for day in ("", "soon", "9999-12-31"):
        assert accept(operator_site, page_without_week, day).status_code == 400
    form = {"revision": "1", "week": "2026-06-15"}
    assert operator_site.client.post(f"{page_without_week}/accept", data=form).status_code == 403
    assert issue_of_topic(operator_site.database, WITHOUT_WEEK).held_revision == 1


def test_an_archived_issue_is_mailed_after_all_by_its_button(operator_site: Site) -> None:
    sign_in(operator_site)
    page = f"/operator/issues/{EDITED}"
    assert "for the archive only" in visible_text(operator_site.client.get(page))
    form = {"proof": proof_of_session(operator_site), "revision": "2"}
    assert operator_site.client.post(f"{page}/mail", data={**form, "revision": "1"}).status_code == 409
    assert issue_of_topic(operator_site.database, EDITED).archived
    for _ in range(2):
        assert operator_site.client.post(f"{page}/mail", data=form).status_code == 303
    assert not issue_of_topic(operator_site.database, EDITED).archived
    operator_site.digest()
    body = operator_site.mail("en@example.com").get_body(("plain",))
    assert body
    assert issue_of_topic(operator_site.database, EDITED).url in body.get_content()


def test_the_pages_say_who_wrote_an_issue_and_whether_it_is_archived_held_or_deleted(
    operator_site: Site,
) -> None:
    with operator_site.database.sessions.begin() as session:
        issues = session.scalars(select(Issue).order_by(Issue.topic_id)).all()
        author, deleted = issues[0].author, issues[0]
        store.delete(session, deleted, operator_site.clock())
        issues[1].held_revision, issues[1].revision = 2, 1
        topic_id = deleted.topic_id
    sign_in(operator_site)
    text = visible_text(operator_site.client.get(f"/operator/issues/{topic_id}"))
    assert author
    assert f"Written by {author}" in text
    assert "has been gone from the forum since" in text
    assert "Mail it after all" not in text, "there is nothing left to mail"
    overview = visible_text(operator_site.client.get("/operator"))
    for states in ("in force", "an edit is held, archive", "archive, deleted"):
        assert f" {states} " in overview


def test_a_held_post_is_left_alone_by_its_button(operator_site: Site, page_without_week: str) -> None:
    form = {"proof": proof_of_session(operator_site), "revision": "1"}
    assert operator_site.client.post(f"{page_without_week}/dismiss", data=form).status_code == 303
    assert issue_of_topic(operator_site.database, WITHOUT_WEEK).held_revision is None
    assert "· held" not in visible_text(operator_site.client.get(page_without_week))
