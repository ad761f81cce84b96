"""Accessibility of every page, in every state and both languages, on the screens of a phone and a desktop."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select

from core.database import Database
from core.schema import open_database
from issues.models import Issue
from issues.queries import papers_in_issue
from paperboy.web.paper_views import paper_path
from subscribers.tokens import LinkPurpose
from tests.support.all_mails import EDITED, summary
from tests.support.programs import ACCESSIBILITY_VIOLATIONS, TOO_WIDE_ELEMENTS, node_module
from tests.support.site import CHOICE, Site, open_site, path_in

SCREEN_WIDTHS = (375, 1280)
LONGEST_TOPIC_ID = 9655  # of the sample issues
DARK_PAGES = {
    "form-with-a-fault-ko",
    "issue-in-both-ko",
    "paper-en",
    "search-en",
    "preferences-done-en",
    "unsubscribed-ko",
}
# Pages that take several steps to reach, each with its heading. The headings are compared, because an error page in
# the place of one of them would be accessible, too.
EXPECTED_HEADINGS = {
    "form-too-large": "This is too large",
    "too-many": "Please try again later",
    "away": "We'll be right back",
    "move": "Get the digest at this address?",
    "moved": "Your address has been changed",
    "move-late": "This address can't be used",
    "back": "You're subscribed again",
    "forgotten": "Everything has been erased",
}

PageRequest = (
    str | tuple[str, dict[str, str]]
)  # the address of a page, or the address and the form that lead to it


@pytest.fixture
def pages(shared_sample_site: Site, strict_site: Site, away_site: Site) -> dict[str, PageRequest]:
    """Every page by name, in both languages. Some can be seen only once, so each language has its own subscribers."""
    return {
        f"{name}-{language}": _in_language(language, page)
        for language in ("ko", "en")
        for name, page in {
            **_public_pages(shared_sample_site),
            **_subscriber_pages(shared_sample_site, language),
            "too-many": (f"{strict_site.url}/subscribe", {"email": "late@example.com", **CHOICE}),
            "away": f"{away_site.url}/",
        }.items()
    }


@pytest.fixture
def strict_site(sample_database: Database, tmp_path: Path) -> Iterator[Site]:
    """A site that accepts no more sign-ups for now."""
    with open_site(sample_database, tmp_path, sign_ups_in_all="1 per day") as site:
        site.sign_up("early@example.com")
        yield site


@pytest.fixture
def away_site(sqlite_template: Path, tmp_path: Path) -> Iterator[Site]:
    """A site whose database file is damaged."""
    file = tmp_path / "away.db"
    file.write_bytes(sqlite_template.read_bytes())
    database = open_database(f"sqlite:///{file}")
    with open_site(database, tmp_path) as site:
        for part in tmp_path.glob("away.db*"):
            part.write_bytes(b"garbled")
        yield site
    database.engine.dispose()


def _public_pages(site: Site) -> dict[str, PageRequest]:
    paths: dict[str, PageRequest] = {
        "form": "/",
        "form-with-a-fault": ("/subscribe", {"email": "nobody", **CHOICE}),
        "form-without-a-choice": ("/subscribe", {"email": "minji@example.com"}),
        "form-too-large": ("/subscribe", {"email": "x" * 70_000}),
        "sent": "/sent",
        "bad-link": "/p/x",
        "not-found": "/x",
        "archive": "/archive",
        "privacy": "/privacy",
        "help": "/help",
        "asked": "/asked",
        "search": "/search?q=모델",
        "paper": _paper_path(site),
        "longest-issue": f"/archive/{LONGEST_TOPIC_ID}?text=both",
        **{f"issue-in-{text}": f"/archive/{EDITED}?text={text}" for text in ("ko", "en", "both")},
    }
    return {name: _at(site, page) for name, page in paths.items()}


def _paper_path(site: Site) -> str:
    with site.database.sessions() as session:
        issue = session.scalars(select(Issue).where(Issue.topic_id == LONGEST_TOPIC_ID)).one()
        first = papers_in_issue(issue)[0]
        return paper_path(first.number, first.paper.name)


# It is long because it lists every page.
def _subscriber_pages(site: Site, language: str) -> dict[str, PageRequest]:
    active, paused, pending, gone, moving, moved, late, over, stayed, forgotten = (
        f"{name}.{language}@example.com"
        for name in (
            "active",
            "paused",
            "pending",
            "gone",
            "moving",
            "moved",
            "late",
            "over",
            "stayed",
            "lost",
        )
    )
    for address in (active, paused, gone, moving, moved, late, over, stayed, forgotten):
        site.add(address, language=language)
    site.sign_up(pending, language=language)
    site.mail(pending)
    in_two_days = f"{site.clock().date() + timedelta(days=2)}"
    site.client.post(f"{site.link(LinkPurpose.PREFERENCES, paused)}/pause", data={"until": in_two_days})
    moves = {address: _request_address_change(site, address) for address in (moving, moved, late)}
    site.add(f"new.{late}")  # somebody signs up with the new address meanwhile
    for address in (gone, over):
        site.client.post(site.link(LinkPurpose.UNSUBSCRIBE, address))
    preferences = site.link(LinkPurpose.PREFERENCES, active)
    paths: dict[str, PageRequest] = {
        "confirm": site.link(LinkPurpose.CONFIRM, pending),
        "confirmed": site.link(LinkPurpose.CONFIRM, active),
        "confirmed-and-over": site.link(LinkPurpose.CONFIRM, over),
        "preferences": preferences,
        "preferences-done": f"{preferences}?done=saved",
        "preferences-with-a-fault": (f"{preferences}/pause", {"until": "yesterday"}),
        "preferences-of-one-who-pauses": site.link(LinkPurpose.PREFERENCES, paused),
        "history": f"{preferences}/mails",
        "less": f"{site.link(LinkPurpose.UNSUBSCRIBE, stayed)}?done=less",
        "expired": site.link(LinkPurpose.PREFERENCES, active, days_ago=40),
        "move": moves[moving],
        "moved": (moves[moved], {}),
        "move-late": (moves[late], {}),
        "unsubscribe": site.link(LinkPurpose.UNSUBSCRIBE, stayed),
        "unsubscribed": site.link(LinkPurpose.UNSUBSCRIBE, gone),
        "reason-given": f"{site.link(LinkPurpose.UNSUBSCRIBE, gone)}?done=told",
        "back": f"{site.link(LinkPurpose.UNSUBSCRIBE, stayed)}?done=back",
        "forgotten": (f"{site.link(LinkPurpose.PREFERENCES, forgotten)}/forget", {"sure": "1"}),
    }
    return {name: _at(site, page) for name, page in paths.items()}


def _request_address_change(site: Site, address: str) -> str:
    """Ask for mails to a new address. Returns the path of the link that is mailed there."""
    preferences = site.link(LinkPurpose.PREFERENCES, address)
    site.client.post(f"{preferences}/move", data={"email": f"new.{address}"})
    return path_in(site.mail(f"new.{address}"), "m")


def _at(site: Site, page: PageRequest) -> PageRequest:
    return site.url + page if isinstance(page, str) else (site.url + page[0], page[1])


def _in_language(language: str, page: PageRequest) -> PageRequest:
    if isinstance(page, tuple):
        return f"{page[0]}?lang={language}", page[1]
    return f"{page}{'&' if '?' in page else '?'}lang={language}"


def test_pages_have_no_accessibility_violations_and_fit_phone_and_desktop_screens(
    shared_sample_site: Site, browser: Browser, pages: dict[str, PageRequest], request: pytest.FixtureRequest
) -> None:
    pictures: Path | None = request.config.getoption("pictures")
    axe = node_module("axe-core/axe.min.js").read_text()
    context = browser.new_context(viewport={"width": SCREEN_WIDTHS[0], "height": 800}, bypass_csp=True)
    tab, found, headings = context.new_page(), {}, {}
    for name, page in pages.items():
        if isinstance(page, str):
            tab.goto(page)
        else:
            answer = tab.request.post(page[0], form={**page[1]})
            tab.goto(shared_sample_site.url)
            tab.set_content(answer.text())
        tab.evaluate(axe)
        assert tab.get_attribute("html", "lang") == name[-2:]
        headings[name] = tab.inner_text("h1")
        found[name] = [*tab.evaluate(ACCESSIBILITY_VIOLATIONS)]
        for width in SCREEN_WIDTHS:
            tab.set_viewport_size({"width": width, "height": 800})
            found[name] += tab.evaluate(TOO_WIDE_ELEMENTS)
            if pictures:
                tab.screenshot(path=pictures / f"page-{name}-{width}.png", full_page=True)
        tab.set_viewport_size({"width": SCREEN_WIDTHS[0], "height": 800})
        if name in DARK_PAGES:
            tab.emulate_media(color_scheme="dark")
            found[f"{name}-dark"] = [*tab.evaluate(ACCESSIBILITY_VIOLATIONS)]
            if pictures:
                tab.screenshot(path=pictures / f"page-{name}-dark.png", full_page=True)
            tab.emulate_media(color_scheme="light")
    context.close()
    assert {f"{name}-dark" for name in DARK_PAGES} <= found.keys()
    assert not summary(found), summary(found)
    assert {name: headings[f"{name}-en"] for name in EXPECTED_HEADINGS} == EXPECTED_HEADINGS
