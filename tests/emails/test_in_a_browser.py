"""A browser shows every kind of mail at the widths of a phone and of a reading pane; axe judges it on the phone."""

from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.support.all_mails import every_kind, summary
from tests.support.programs import (
    ACCESSIBILITY_VIOLATIONS,
    CHROMIUM_SWITCHES,
    TOO_WIDE_ELEMENTS,
    node_module,
    program,
)

WIDTHS = (375, 700)
# What dark modes do that turn all colours around, but leave pictures alone.
INVERTED = "html { background: #fff } html, img { filter: invert(1) hue-rotate(180deg) }"


class Look(NamedTuple):
    """What is wrong with a mail, and what does not fit at which width."""

    violations: list[str]
    too_wide: list[str]


@pytest.fixture(scope="module")
def looks(request: pytest.FixtureRequest) -> dict[str, Look]:
    """How each kind of mail looks; with `--pictures`, leaves pictures of them too."""
    chromium, axe = program("chromium"), node_module("axe-core/axe.min.js").read_text()
    # Closed before the first test: while it is open, its event loop is in the way of others.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_SWITCHES)
        page = browser.new_page()
        page.route("**/*", lambda route: route.abort())
        page.evaluate(axe)
        looks: dict[str, Look] = {}
        for kind in every_kind():
            page.set_viewport_size({"width": WIDTHS[0], "height": 800})
            page.set_content(kind.html)
            look = looks[kind.name] = Look(page.evaluate(ACCESSIBILITY_VIOLATIONS), [])
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                look.too_wide.extend(f"at {width}: {found}" for found in page.evaluate(TOO_WIDE_ELEMENTS))
            _picture(page, kind.name, request.config.getoption("pictures"))
        browser.close()
    return looks


def test_axe_finds_no_barrier_in_any_kind_of_mail(looks: dict[str, Look]) -> None:
    found = summary({name: look.violations for name, look in looks.items()})
    assert not found, found


def test_nothing_is_wider_than_the_screen(looks: dict[str, Look]) -> None:
    found = summary({name: look.too_wide for name, look in looks.items()})
    assert not found, found


def _picture(page: Page, name: str, folder: Path | None) -> None:
    """Pictures of the mail at each width, in its own colours and inverted."""
    if folder is None:
        return
    for colours in ("light", "inverted"):
        if colours == "inverted":
            page.add_style_tag(content=INVERTED)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            page.screenshot(path=folder / f"{name}-{width}-{colours}.png", full_page=True)
