"""axe judges the operator's pages, at the widths of a phone and a desk, and in a browser the way to a resend works."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from core.database import Database
from core.run_log import record_run
from delivery.models import BounceMail
from delivery.report import DigestReport
from issues.models import Issue
from subscribers.accounts import find, unsubscribe
from subscribers.suppression import suppress
from tests.support.all_mails import EDITED, summary
from tests.support.programs import ACCESSIBILITY_VIOLATIONS, node_module
from tests.support.site import Site, open_site

TOKEN = "a token for operators, in tests"
WIDTHS = (375, 1280)
SCROLLS = "() => document.documentElement.scrollWidth > innerWidth ? ['the page scrolls sideways'] : []"


@pytest.fixture
def context(sample_database: Database, tmp_path: Path) -> Iterator[Site]:
    """The app after half a year: readers who came and went, runs with mails that failed, a held edit."""
    with open_site(sample_database, tmp_path, operator_token=TOKEN) as site:
        for number in range(60):
            site.clock.ahead = timedelta(weeks=number // 3 - 20)
            language, frequency = ("ko", "ko", "both", "en")[number % 4], ("weekly", "daily")[number % 5 == 0]
            site.add(f"reader{number}@example.com", language=language, frequency=frequency)
        site.clock.ahead = timedelta(weeks=-1)
        with site.database.sessions.begin() as session:
            for number in (7, 23):
                reader = find(session, f"reader{number}@example.com")
                assert reader
                unsubscribe(reader, site.clock())
        site.clock.ahead = timedelta(0)
        site.server.on_rcpt = {
            "reader8@example.com": "550 5.1.1 No such user",
            "reader9@example.com": "450 later",
        }.get
        site.digest("weekly")
        site.digest("daily")
        site.server.on_rcpt = None
        _trouble(site)
        yield site


def _trouble(site: Site) -> None:
    with site.database.sessions.begin() as session:
        suppress(session, "reader11@example.com", "complaint", site.clock())
        reader = find(session, "reader11@example.com")
        assert reader
        session.add(
            BounceMail(
                digest="x",
                received_at=site.clock(),
                kind="complaint",
                status="",
                action="suppressed",
                said="",
                subscriber_id=reader.id,
            )
        )
        issue = session.scalars(select(Issue).where(Issue.topic_id == EDITED)).one()
        issue.revisions[-1].problems = ["paper 3 has no abstract"]
        issue.held_revision, issue.revision = issue.revisions[-1].number, 1
        stopped = DigestReport("retries", candidates=2, planned=2, stopped="login refused: 535 5.7.8")
        record_run(session, "upkeep", stopped.as_json(), site.clock())


def _sign_in(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/operator")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()


def test_axe_finds_no_barrier_on_the_operators_pages_and_none_scrolls_sideways(
    context: Site, browser: Browser, request: pytest.FixtureRequest
) -> None:
    pictures: Path | None = request.config.getoption("pictures")
    axe = node_module("axe-core/axe.min.js").read_text()
    context = browser.new_context(viewport={"width": WIDTHS[1], "height": 900}, bypass_csp=True)
    page = context.new_page()
    found: dict[str, list[str]] = {}

    def judge(name: str) -> None:
        page.evaluate(axe)
        found[name] = [*page.evaluate(ACCESSIBILITY_VIOLATIONS)]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            found[name] += page.evaluate(SCROLLS)
            if pictures:
                page.screenshot(path=pictures / f"operator-{name}-{width}.png", full_page=True)

    page.goto(f"{context.url}/operator")
    judge("sign-in")
    page.get_by_label("Token").fill("x")
    page.get_by_role("button", name="Sign in").click()
    judge("sign-in-refused")
    _sign_in(page, context)
    judge("overview")
    page.locator("input[name=proof]").evaluate("field => field.value = 'too old'")
    page.get_by_role("button", name="Sign out").click()
    judge("refused")
    reader = context.known("reader11@example.com").id
    for name, path in {
        "issue": f"issues/{EDITED}",
        "next-mails": "preview",
        "mails": "mails",
        "mails-failed": "mails?state=failed",
        "reader": f"readers/{reader}",
        "figures": "figures",
        "send-again": "resend",
    }.items():
        page.goto(f"{context.url}/operator/{path}")
        judge(name)
    page.get_by_label("missed").check()
    page.get_by_label("outdated").check()
    page.get_by_label("Issue", exact=True).select_option(str(EDITED))
    page.get_by_label("Reason").fill("they joined later")
    page.get_by_role("button", name="Show the plan").click()
    assert page.inner_text("h1") == "The plan"
    judge("plan")
    page.get_by_role("button", name="Send").click()
    assert page.inner_text("h1") == "Copies 1"
    judge("copies")
    context.close()
    assert not summary(found), summary(found)


def test_mails_are_previewed_in_frames_that_the_browser_shows(context: Site, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": WIDTHS[1], "height": 900})
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if said.type == "error" else None)
    _sign_in(page, context)
    context.clock.ahead = timedelta(days=7)
    page.goto(f"{context.url}/operator/preview")
    frame = page.frame_locator("iframe").first
    assert frame.locator("h1").inner_text()
    assert not [line for line in refused if "frame" in line.lower()], refused
    context.close()
