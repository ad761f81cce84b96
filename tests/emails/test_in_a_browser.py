"""Every kind of mail in a browser: it fits a phone and a reading pane, and axe finds no barriers."""

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
# Some dark modes invert all colours but leave pictures as they are.
INVERTED = "html { background: #fff } html, img { filter: invert(1) hue-rotate(180deg) }"


class BrowserFindings(NamedTuple):
    """The accessibility violations of a mail, and the elements that are too wide."""

    violations: list[str]
    too_wide: list[str]


@pytest.fixture(scope="module")
def findings(request: pytest.FixtureRequest) -> dict[str, BrowserFindings]:
    """The findings on each kind of mail. With `--pictures`, pictures are written too."""
    chromium, axe = program("chromium"), node_module("axe-core/axe.min.js").read_text()
    # The browser is closed before the first test, because its event loop disturbs other tests.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_SWITCHES)
        page = browser.new_page()
        page.route("**/*", lambda route: route.abort())
        page.evaluate(axe)
        findings: dict[str, BrowserFindings] = {}
        for kind in every_kind():
            page.set_viewport_size({"width": WIDTHS[0], "height": 800})
            page.set_content(kind.html)
            found = findings[kind.name] = BrowserFindings(page.evaluate(ACCESSIBILITY_VIOLATIONS), [])
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                found.too_wide.extend(
                    f"at {width}: {element}" for element in page.evaluate(TOO_WIDE_ELEMENTS)
                )
            _write_pictures(page, kind.name, request.config.getoption("pictures"))
        browser.close()
    return findings


def test_axe_finds_no_barrier_in_any_kind_of_mail(findings: dict[str, BrowserFindings]) -> None:
    report = summary({name: found.violations for name, found in findings.items()})
    assert not report, report


def test_nothing_is_wider_than_the_screen(findings: dict[str, BrowserFindings]) -> None:
    report = summary({name: found.too_wide for name, found in findings.items()})
    assert not report, report


def _write_pictures(page: Page, name: str, folder: Path | None) -> None:
    """Pictures of the mail at each width, in its own colours and inverted."""
    if folder is None:
        return
    for colours in ("light", "inverted"):
        if colours == "inverted":
            page.add_style_tag(content=INVERTED)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            page.screenshot(path=folder / f"{name}-{width}-{colours}.png", full_page=True)
