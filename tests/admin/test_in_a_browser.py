"""The operator's pages in a browser: accessibility on the screens of a phone and a desktop, resending, and previews."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from core.database import Database
from core.frequencies import Frequency
from core.run_log import RunKind, record_run
from delivery.models import BounceMail
from delivery.report import DigestReport
from issues.models import Issue
from subscribers.accounts import find, unsubscribe
from subscribers.suppression import suppress
from tests.admin.operator_client import NEWEST, OPERATOR_TOKEN
from tests.support.all_mails import EDITED, summary
from tests.support.programs import ACCESSIBILITY_VIOLATIONS, node_module
from tests.support.site import Site, open_site

SCREEN_WIDTHS = (375, 1280)
OLDEST = 8427  # the topic id of the oldest sample issue
PAGE_SCROLLS = "() => document.documentElement.scrollWidth > innerWidth ? ['the page scrolls sideways'] : []"


@pytest.fixture
def busy_site(sample_database: Database, tmp_path: Path) -> Iterator[Site]:
    """The pages after half a year: subscribers came and left, mails failed, an edit is held, and a run stopped."""
    with open_site(sample_database, tmp_path, operator_token=OPERATOR_TOKEN) as site:
        for number in range(60):
            site.clock.ahead = timedelta(weeks=number // 3 - 20)
            language, frequency = ("ko", "ko", "both", "en")[number % 4], ("weekly", "daily")[number % 5 == 0]
            site.add(f"reader{number}@example.com", language=language, frequency=frequency)
        site.clock.ahead = timedelta(weeks=-1)
        with site.database.sessions.begin() as session:
            for number in (7, 23):
                subscriber = find(session, f"reader{number}@example.com")
                assert subscriber
                unsubscribe(subscriber, site.clock())
        site.clock.ahead = timedelta(0)
        site.server.on_rcpt = {
            "reader8@example.com": "550 5.1.1 No such user",
            "reader9@example.com": "450 later",
        }.get
        site.digest(Frequency.WEEKLY)
        site.digest(Frequency.DAILY)
        site.server.on_rcpt = None
        _add_problems(site)
        yield site


def _add_problems(site: Site) -> None:
    """Store a complaint, a held edit, an issue without a week and a stopped run."""
    with site.database.sessions.begin() as session:
        suppress(session, "reader11@example.com", "complaint", site.clock())
        subscriber = find(session, "reader11@example.com")
        assert subscriber
        session.add(
            BounceMail(
                content_hash="x",
                received_at=site.clock(),
                kind="complaint",
                status="",
                action="suppressed",
                reason="",
                subscriber_id=subscriber.id,
            )
        )
        issue = session.scalars(select(Issue).where(Issue.topic_id == EDITED)).one()
        issue.revisions[-1].problems = ["paper 3 has no abstract"]
        issue.held_revision, issue.revision = issue.revisions[-1].number, 1
        without_week = session.scalars(select(Issue).where(Issue.topic_id == OLDEST)).one()
        without_week.revisions[0].title = "이번 주에 살펴볼 만한 AI/ML 논문 모음"
        without_week.held_revision, without_week.revision = 1, 0
        stopped = DigestReport("retries", candidates=2, planned=2, stopped="login refused: 535 5.7.8")
        record_run(session, RunKind.UPKEEP, stopped.as_json(), site.clock())


def _sign_in(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/operator")
    page.get_by_label("Token").fill(OPERATOR_TOKEN)
    page.get_by_role("button", name="Sign in").click()


# It is long because it visits every page of the operator in one browser.
def test_operator_pages_have_no_accessibility_violations_and_never_scroll_sideways(
    busy_site: Site, browser: Browser, request: pytest.FixtureRequest
) -> None:
    pictures: Path | None = request.config.getoption("pictures")
    axe = node_module("axe-core/axe.min.js").read_text()
    context = browser.new_context(viewport={"width": SCREEN_WIDTHS[1], "height": 900}, bypass_csp=True)
    page = context.new_page()
    found: dict[str, list[str]] = {}

    def check(name: str) -> None:
        page.evaluate(axe)
        found[name] = [*page.evaluate(ACCESSIBILITY_VIOLATIONS)]
        for width in SCREEN_WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            found[name] += page.evaluate(PAGE_SCROLLS)
            if pictures:
                page.screenshot(path=pictures / f"operator-{name}-{width}.png", full_page=True)

    page.goto(f"{busy_site.url}/operator")
    check("sign-in")
    page.get_by_label("Token").fill("x")
    page.get_by_role("button", name="Sign in").click()
    check("sign-in-refused")
    _sign_in(page, busy_site)
    check("overview")
    page.locator("input[name=proof]").evaluate("field => field.value = 'too old'")
    page.get_by_role("button", name="Sign out").click()
    check("refused")
    for name, path in {
        "issue": f"issues/{EDITED}",
        "issue-without-week": f"issues/{OLDEST}",
        "issue-in-force": f"issues/{NEWEST}",
        "next-mails": "preview",
        "issues": "issues",
        "mails": "mails",
        "bounces": "bounces",
        "subscribers": "readers",
        "audit-log": "actions",
        "mails-failed": "mails?state=failed",
        "subscriber": f"readers/{busy_site.subscriber('reader11@example.com').id}",
        "figures": "figures",
        "send-again": "resend",
    }.items():
        page.goto(f"{busy_site.url}/operator/{path}")
        check(name)
    page.get_by_label("missed").check()
    page.get_by_label("outdated").check()
    page.get_by_label("Issue", exact=True).select_option(str(EDITED))
    page.get_by_label("Reason").fill("they joined later")
    page.get_by_role("button", name="Show the plan").click()
    assert page.inner_text("h1") == "The plan"
    check("plan")
    page.get_by_role("button", name="Send").click()
    assert page.inner_text("h1") == "Copies 1"
    check("copies")
    context.close()
    assert not summary(found), summary(found)


def test_the_browser_shows_previewed_mails_in_their_frames(busy_site: Site, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": SCREEN_WIDTHS[1], "height": 900})
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    _sign_in(page, busy_site)
    busy_site.clock.ahead = timedelta(days=7)
    page.goto(f"{busy_site.url}/operator/preview")
    frame = page.frame_locator("iframe").first
    assert frame.locator("h1").inner_text()
    assert not [error for error in errors if "frame" in error.lower()], errors
    context.close()
