"""Monday, 08:05, in Korean: what went out, what did not, and each trouble found and resolved from the overview."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from core.audit_log import Action, OperatorAction
from core.database import Database
from core.frequencies import Frequency
from delivery.models import BounceMail, Delivery
from delivery.states import DeliveryState
from issues.models import Issue
from tests.support.all_mails import EDITED
from tests.support.site import Site, open_site

TOKEN = "the-token-of-minji-in-tests"
READERS, REFUSED, LATER, BOUNCED = 60, 2, 2, 24


@pytest.fixture
def monday(sample_database: Database, tmp_path: Path) -> Iterator[Site]:
    """The pages in Korean after a weekly digest of which some mails failed, with a held edit and a wave of bounces."""
    with open_site(
        sample_database, tmp_path, operator_tokens=f"minji:{TOKEN}", operator_language="ko"
    ) as site:
        for number in range(READERS):
            site.add(f"reader{number}@example.com", language=("ko", "both", "en")[number % 3])
        refusals = {f"reader{number}@example.com": "550 5.2.1 Mailbox is off" for number in range(REFUSED)}
        later = {f"reader{number}@example.com": "451 4.7.1 Later" for number in range(10, 10 + LATER)}
        site.server.on_rcpt = (refusals | later).get
        site.digest(Frequency.WEEKLY)
        site.server.on_rcpt = None
        with site.database.sessions.begin() as session:
            sent = session.scalars(select(Delivery).where(Delivery.state == DeliveryState.SENT)).all()
            for number, delivery in enumerate(sent[:BOUNCED]):
                delivery.state, delivery.reply = DeliveryState.FAILED, "returned: 554 5.7.1 Blocked by policy"
                session.add(
                    BounceMail(
                        content_hash=str(number),
                        received_at=site.clock(),
                        kind="bounce",
                        status="5.7.1",
                        action="counted",
                        reason="554 5.7.1 Blocked by policy",
                        subscriber_id=delivery.subscriber_id,
                        delivery_id=delivery.id,
                    )
                )
            issue = session.scalars(select(Issue).where(Issue.topic_id == EDITED)).one()
            issue.revisions[-1].problems = ["paper 3 (HRM) has no link"]
            issue.held_revision, issue.revision = issue.revisions[-1].number, 1
        yield site


def _picture(page: Page, request: pytest.FixtureRequest, name: str) -> None:
    directory: Path | None = request.config.getoption("pictures")
    for width in (1280, 375) if directory else ():
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=f"{directory}/morning-{name}-{width}.png", full_page=True)


def test_failures_a_held_issue_and_bounces_are_found_and_resolved_from_the_overview_in_three_clicks(
    monday: Site, browser: Browser, request: pytest.FixtureRequest
) -> None:
    context = browser.new_context(locale="ko-KR")
    page = context.new_page()
    page.goto(f"{monday.url}/operator")
    page.get_by_label("토큰").fill(TOKEN)
    page.get_by_role("button", name="로그인").click()
    failed = REFUSED + BOUNCED
    seen = page.inner_text("main")
    assert f"{READERS}통 중 {READERS - failed - LATER}통 발송, {failed}통 실패, {LATER}통 지연" in seen
    assert "다음 발송" in seen
    assert "논문 3(HRM)에 다음이 없습니다: 링크" in seen
    assert f"{BOUNCED}통이 반송되었습니다" in seen
    _picture(page, request, "overview")

    held = page.locator("li.fault", has_text="보류되었습니다")
    held.get_by_role("link", name="확인하기").click()
    _picture(page, request, "held")
    page.get_by_role("button", name="그대로 발행하기").click()
    page.get_by_role("link", name="현황").click()
    assert page.locator("li.fault", has_text="보류되었습니다").count() == 0

    page.locator("li.fault", has_text="반송이 많습니다").get_by_role("link", name="확인하기").click()
    reasons = page.inner_text("main")
    assert "554 5.7.1 Blocked by policy" in reasons
    assert str(BOUNCED) in reasons
    _picture(page, request, "bounces")
    page.get_by_role("link", name="현황").click()

    lost = page.locator("li.fault", has_text="실패 상태인 메일")
    lost.get_by_role("button", name="다시 보내기").click()
    _picture(page, request, "plan")
    page.get_by_role("button", name=f"{failed}통 보내기").click()
    _picture(page, request, "copies")
    page.get_by_role("link", name="현황").click()
    assert page.locator("li.fault", has_text="실패 상태인 메일").count() == 0
    page.goto(f"{monday.url}/operator/mails")
    _picture(page, request, "mails")
    page.goto(f"{monday.url}/operator/figures")
    _picture(page, request, "figures")
    page.goto(f"{monday.url}/operator/readers/1")
    _picture(page, request, "subscriber")
    page.goto(f"{monday.url}/operator/actions")
    _picture(page, request, "audit-log")
    context.close()
    with monday.database.sessions() as session:
        done = session.scalars(select(OperatorAction).order_by(OperatorAction.id)).all()
    assert [entry.action for entry in done] == [Action.SIGN_IN, Action.RELEASE, Action.RESEND]
    assert {entry.operator for entry in done} == {"minji"}
    assert timedelta(0) <= done[-1].at - done[0].at
