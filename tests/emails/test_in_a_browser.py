"""Every kind of mail in a browser: it fits a phone and a reading pane, and axe finds no barriers."""

from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from playwright.sync_api import Page, sync_playwright

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from emails.edition import Edition
from issues.parse.content import Link
from tests.support.all_mails import every_kind, summary
from tests.support.factories import blocks, edition_of, issue_of, paper
from tests.support.mail_layout import MailLayout, layout_of
from tests.support.mail_reader import Mail
from tests.support.programs import (
    ACCESSIBILITY_VIOLATIONS,
    CHROMIUM_SWITCHES,
    HARD_TO_TAP_LINKS,
    TOO_WIDE_ELEMENTS,
    node_module,
    program,
)

WIDTHS = (375, 700)
CHECKED_IN_THE_DARK = ("edited-weekly", "edited-correction", "confirmation", "notice")
Layouts = dict[tuple[Language, Frequency, Detail], MailLayout]
COLOR_SCHEMES: tuple[Literal["light", "dark"], ...] = ("dark", "light")
# Some dark modes invert all colours but leave pictures as they are.
INVERTED = "html { background: #fff } html, img { filter: invert(1) hue-rotate(180deg) }"


class BrowserFindings(NamedTuple):
    """The accessibility violations of a mail, light and dark, the elements that are too wide, and links too small for a
    finger."""

    violations: list[str]
    too_wide: list[str]
    hard_to_tap: list[str]


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
            found = findings[kind.name] = BrowserFindings([], [], page.evaluate(HARD_TO_TAP_LINKS))
            for scheme in COLOR_SCHEMES if kind.name.startswith(CHECKED_IN_THE_DARK) else COLOR_SCHEMES[-1:]:
                page.emulate_media(color_scheme=scheme)
                violations = page.evaluate(ACCESSIBILITY_VIOLATIONS)
                found.violations.extend(f"{scheme}: {violation}" for violation in violations)
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


def test_a_finger_hits_each_link_in_a_row(findings: dict[str, BrowserFindings]) -> None:
    report = summary({name: found.hard_to_tap for name, found in findings.items()})
    assert not report, report


@pytest.fixture(scope="module")
def layouts() -> Layouts:
    """How a week's first mail is laid out on a phone, for each choice of a subscriber."""
    chromium = program("chromium")
    with sync_playwright() as playwright:  # closed before the first test, see above
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_SWITCHES)
        page = browser.new_page()
        page.route("**/*", lambda route: route.abort())
        found = {}
        for choice in product(Language, Frequency, Detail):
            edition = week_of_ten(*choice)
            found[choice] = layout_of(page, Mail(edition).html, gists_of(edition))
        browser.close()
    return found


def gists_of(edition: Edition) -> list[str]:
    return [gist.text for paper in edition.papers for gist in paper.gists]


def week_of_ten(language: Language, frequency: Frequency, detail: Detail) -> Edition:
    """A week of ten papers whose titles and gists are as long as they may be, and an overview as long as the forum's."""
    papers = [
        paper(
            number,
            title_ko="긴 글을 읽는 작은 언어 모델의 기억을 정리하는 방법: 열 편의 논문",
            title_en="A Method that Tidies the Memory of Small Language Models for Long Texts: Ten Papers",
            gist_ko=f"{number}번 논문은 "
            + "작은 모델이 긴 글에서도 기억을 정리하도록 돕는 방법을 제안하며 " * 2
            + "보입니다.",
            gist_en=f"Paper {number} proposes "
            + "a method that tidies the memory of small models and " * 3
            + "works.",
            links=(Link(f"https://github.com/owl/{number}"),),
        )
        for number in range(1, 11)
    ]
    overview = blocks(
        *("이번 주의 논문들은 같은 비용으로 더 많은 일을 하는 방법을 다룹니다. " * 8 for _ in range(4))
    )
    return edition_of(
        issue_of(papers, overview=overview), language=language, frequency=frequency, detail=detail
    )


@pytest.mark.parametrize("detail", Detail)
@pytest.mark.parametrize("language", Language)
def test_a_phone_shows_the_first_gist_at_once_and_the_whole_list_soon(
    layouts: Layouts, language: Language, detail: Detail
) -> None:
    layout = layouts[language, Frequency.WEEKLY, detail]
    assert layout.gists == 10 * len(language.texts)
    assert layout.first_gist < 320
    longest = {"ko": 3_200, "en": 3_200, "both": 4_600}  # the gists of this week are far above the average
    assert layout.last_gist_end < longest[language]


@pytest.mark.parametrize("language", Language)
def test_a_brief_weekly_mail_is_a_few_screens_long(layouts: Layouts, language: Language) -> None:
    whole = layouts[language, Frequency.WEEKLY, Detail.BRIEF].whole
    assert whole < (8_000 if language == "both" else 6_000)


@pytest.mark.parametrize("language", Language)
def test_a_daily_mail_shows_its_first_text_at_once(layouts: Layouts, language: Language) -> None:
    assert 0 < layouts[language, Frequency.DAILY, Detail.FULL].first_gist < 500


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
