"""axe judges every page in every state and both languages, at the widths of a phone and a desk."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from core.database import Database
from core.schema import open_database
from tests.support.all_mails import EDITED, summary
from tests.support.programs import ACCESSIBILITY_VIOLATIONS, TOO_WIDE_ELEMENTS, node_module
from tests.support.site import CHOICE, Site, open_site, path_in

WIDTHS = (375, 1280)
LONGEST = 9655  # the sample's longest issue
# Pages that are brought about, each by its heading: another page in its place would be judged well, too.
ONE_OF_A_KIND = {
    "form-too-large": "This is too large",
    "too-many": "Please try again later",
    "away": "Away for a moment",
    "move": "Get the digest at this address?",
    "moved": "Your address has changed",
    "move-late": "This address cannot be taken",
    "back": "You are subscribed again",
    "forgotten": "Everything is erased",
}

Asked = str | tuple[str, dict[str, str]]  # a page's address, or the address and form that bring it about


@pytest.fixture
def pages(shared_sample_site: Site, strict_site: Site, away_site: Site) -> dict[str, Asked]:
    """Every page by name, in both languages; some can be seen only once, so each language has its readers."""
    return {
        f"{name}-{language}": _in(language, asked)
        for language in ("ko", "en")
        for name, asked in {
            **_of_everybody(shared_sample_site),
            **_of_readers(shared_sample_site, language),
            "too-many": (f"{strict_site.url}/subscribe", {"email": "late@example.com", **CHOICE}),
            "away": f"{away_site.url}/",
        }.items()
    }


@pytest.fixture
def strict_site(sample_database: Database, tmp_path: Path) -> Iterator[Site]:
    """A site that takes no more sign-ups for now."""
    with open_site(sample_database, tmp_path, sign_ups_in_all="1 per day") as site:
        site.sign_up("early@example.com")
        yield site


@pytest.fixture
def away_site(sqlite_template: Path, tmp_path: Path) -> Iterator[Site]:
    """A site whose database has been garbled."""
    file = tmp_path / "away.db"
    file.write_bytes(sqlite_template.read_bytes())
    database = open_database(f"sqlite:///{file}")
    with open_site(database, tmp_path) as site:
        for part in tmp_path.glob("away.db*"):
            part.write_bytes(b"garbled")
        yield site
    database.engine.dispose()


def _of_everybody(site: Site) -> dict[str, Asked]:
    paths: dict[str, Asked] = {
        "form": "/",
        "form-with-a-fault": ("/subscribe", {"email": "nobody", **CHOICE}),
        "form-without-a-choice": ("/subscribe", {"email": "minji@example.com"}),
        "form-too-large": ("/subscribe", {"email": "x" * 70_000}),
        "sent": "/sent",
        "bad-link": "/p/x",
        "not-found": "/x",
        "archive": "/archive",
        "longest-issue": f"/archive/{LONGEST}?text=both",
        **{f"issue-in-{text}": f"/archive/{EDITED}?text={text}" for text in ("ko", "en", "both")},
    }
    return {name: _at(site, asked) for name, asked in paths.items()}


def _of_readers(site: Site, language: str) -> dict[str, Asked]:
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
    tomorrow = f"{site.clock().date() + timedelta(days=2)}"
    site.client.post(f"{site.link('preferences', paused)}/pause", data={"until": tomorrow})
    moves = {address: _ask_to_move(site, address) for address in (moving, moved, late)}
    site.add(f"new.{late}")  # signed up meanwhile
    for address in (gone, over):
        site.client.post(site.link("unsubscribe", address))
    settings = site.link("preferences", active)
    paths: dict[str, Asked] = {
        "confirm": site.link("confirm", pending),
        "confirmed": site.link("confirm", active),
        "confirmed-and-over": site.link("confirm", over),
        "preferences": settings,
        "preferences-done": f"{settings}?done=saved",
        "preferences-with-a-fault": (f"{settings}/pause", {"until": "yesterday"}),
        "preferences-of-one-who-pauses": site.link("preferences", paused),
        "expired": site.link("preferences", active, days_ago=40),
        "move": moves[moving],
        "moved": (moves[moved], {}),
        "move-late": (moves[late], {}),
        "unsubscribe": site.link("unsubscribe", stayed),
        "unsubscribed": site.link("unsubscribe", gone),
        "told": f"{site.link('unsubscribe', gone)}?done=told",
        "back": f"{site.link('unsubscribe', stayed)}?done=back",
        "forgotten": (f"{site.link('preferences', forgotten)}/forget", {"sure": "1"}),
    }
    return {name: _at(site, asked) for name, asked in paths.items()}


def _ask_to_move(site: Site, address: str) -> str:
    """The link that is mailed to a reader's new address."""
    site.client.post(f"{site.link('preferences', address)}/move", data={"email": f"new.{address}"})
    return path_in(site.mail(f"new.{address}"), "m")


def _at(site: Site, asked: Asked) -> Asked:
    return site.url + asked if isinstance(asked, str) else (site.url + asked[0], asked[1])


def _in(language: str, asked: Asked) -> Asked:
    if isinstance(asked, tuple):
        return f"{asked[0]}?lang={language}", asked[1]
    return f"{asked}{'&' if '?' in asked else '?'}lang={language}"


def test_axe_finds_no_barrier_and_nothing_is_wider_than_a_phone_or_a_desk(
    shared_sample_site: Site, browser: Browser, pages: dict[str, Asked], request: pytest.FixtureRequest
) -> None:
    pictures: Path | None = request.config.getoption("pictures")
    axe = node_module("axe-core/axe.min.js").read_text()
    context = browser.new_context(viewport={"width": WIDTHS[0], "height": 800}, bypass_csp=True)
    page, found, headings = context.new_page(), {}, {}
    for name, asked in pages.items():
        if isinstance(asked, str):
            page.goto(asked)
        else:
            answer = page.request.post(asked[0], form={**asked[1]})
            page.goto(shared_sample_site.url)
            page.set_content(answer.text())
        page.evaluate(axe)
        assert page.get_attribute("html", "lang") == name[-2:]
        headings[name] = page.inner_text("h1")
        found[name] = [*page.evaluate(ACCESSIBILITY_VIOLATIONS)]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            found[name] += page.evaluate(TOO_WIDE_ELEMENTS)
            if pictures:
                page.screenshot(path=pictures / f"page-{name}-{width}.png", full_page=True)
        page.set_viewport_size({"width": WIDTHS[0], "height": 800})
    context.close()
    assert not summary(found), summary(found)
    assert {name: headings[f"{name}-en"] for name in ONE_OF_A_KIND} == ONE_OF_A_KIND
