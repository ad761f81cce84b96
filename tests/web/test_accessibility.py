"""axe judges every page in every state and both languages, at the width of a phone."""

from datetime import timedelta
from pathlib import Path

import pytest
from kinds import EDITED, summary
from playwright.sync_api import Browser
from site_at_work import CHOICE, Site
from tools import TOO_WIDE, VIOLATIONS, node_module

ACTIVE, PAUSED, PENDING, GONE, MOVING, OVER, STAYED = (
    f"{name}@example.com" for name in ("active", "paused", "pending", "gone", "moving", "over", "stayed")
)


@pytest.fixture(scope="module")
def pages(still_site: Site) -> dict[str, str | tuple[str, dict[str, str]]]:
    """Every page by name: its path, or the path and form that bring it about."""
    site = still_site
    for address in (ACTIVE, PAUSED, GONE, MOVING, OVER, STAYED):
        site.add(address)
    site.sign_up(PENDING)
    site.mail(PENDING)
    site.client.post(site.link("preferences", PAUSED) + "/pause", data={"until": _tomorrow(site)})
    site.client.post(site.link("preferences", MOVING) + "/move", data={"email": "moved@example.com"})
    for address in (GONE, OVER):
        site.client.post(site.link("unsubscribe", address))
    settings = site.link("preferences", ACTIVE)
    return {
        "form": "/",
        "form with a fault": ("/subscribe", {"email": "nobody", **CHOICE}),
        "form without a choice": ("/subscribe", {"email": ACTIVE}),
        "sent": "/sent",
        "confirm": site.link("confirm", PENDING),
        "confirmed": site.link("confirm", ACTIVE),
        "confirmed and over": site.link("confirm", OVER),
        "preferences": settings,
        "preferences done": f"{settings}?done=saved",
        "preferences with a fault": (f"{settings}/pause", {"until": "yesterday"}),
        "preferences of one who pauses": site.link("preferences", PAUSED),
        "expired": site.link("preferences", ACTIVE, days_ago=40),
        "move": site.link("move", MOVING),
        "moved": site.link("move", ACTIVE),
        "moved already": (site.link("move", ACTIVE), {}),
        "unsubscribe": site.link("unsubscribe", STAYED),
        "unsubscribed": site.link("unsubscribe", GONE),
        "told": site.link("unsubscribe", GONE) + "?done=told",
        "bad link": "/p/x",
        "not found": "/x",
        "archive": "/archive",
        **{f"issue in {text}": f"/archive/{EDITED}?text={text}" for text in ("ko", "en", "both")},
    }


def _tomorrow(site: Site) -> str:
    return f"{site.clock().date() + timedelta(days=2)}"


def test_axe_finds_no_barrier_and_nothing_is_wider_than_a_phone(
    still_site: Site,
    browser: Browser,
    pages: dict[str, str | tuple[str, dict[str, str]]],
    request: pytest.FixtureRequest,
) -> None:
    pictures: Path | None = request.config.getoption("pictures")
    axe = node_module("axe-core/axe.min.js").read_text()
    context = browser.new_context(viewport={"width": 375, "height": 800}, bypass_csp=True)
    page, found = context.new_page(), {}
    for name, asked in pages.items():
        for language in ("ko", "en"):
            path, form = (asked, None) if isinstance(asked, str) else asked
            sign = "&" if "?" in path else "?"
            address = f"{still_site.url}{path}{sign}lang={language}"
            if form is None:
                page.goto(address)
            else:
                answer = page.request.post(address, form=form)
                page.goto(still_site.url)
                page.set_content(answer.text())
            page.evaluate(axe)
            assert page.get_attribute("html", "lang") == language
            found[f"{name} in {language}"] = [*page.evaluate(VIOLATIONS), *page.evaluate(TOO_WIDE)]
            if pictures:
                page.screenshot(
                    path=pictures / f"page-{name.replace(' ', '-')}-{language}.png", full_page=True
                )
    context.close()
    assert not summary(found), summary(found)
