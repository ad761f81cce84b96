"""A reader's whole way, in a browser that runs no script: subscribe, confirm, choose, pause, leave, come back."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from paperboy.web.i18n import format_day
from tests.support.programs import TOO_WIDE_ELEMENTS
from tests.support.site import Site, links_of, path_in

WIDTHS = (375, 1280)
LOCALES = {"ko": "ko-KR", "en": "en-GB"}
HEADINGS = {
    "ko": (
        "논문 소식 구독",
        "메일함을 확인해 주세요",
        "구독을 시작하시겠습니까?",
        "구독이 시작되었습니다",
        "구독 설정",
        "구독을 해지하시겠습니까?",
        "구독이 해지되었습니다",
        "다시 구독하고 계십니다",
    ),
    "en": (
        "Subscribe to the paper digest",
        "Check your mail",
        "Begin the subscription?",
        "Your subscription has begun",
        "Your subscription",
        "End the subscription?",
        "Your subscription has ended",
        "You are subscribed again",
    ),
}
DONE = {
    "ko": ("저장했습니다.", "발송을 잠시 멈췄습니다.", "발송을 다시 시작합니다."),
    "en": ("Saved.", "Paused.", "Mails begin again."),
}


class Visit:
    """A reader at a browser without scripts; every page they see is measured, and pictured if wanted."""

    def __init__(self, site: Site, page: Page, name: str, pictures: Path | None) -> None:
        self.site, self.page, self._name, self._pictures = site, page, name, pictures
        self.seen: list[str] = []
        self.too_wide: list[str] = []

    def go(self, path: str) -> None:
        """Open a page."""
        self.page.goto(self.site.url + path)
        self.look()

    def press(self, selector: str) -> None:
        """Press a button or follow a link."""
        self.page.click(selector)
        self.look()

    def look(self) -> None:
        """Note the heading, and what is wider than the screen of a phone or a desk."""
        self.seen.append(self.page.inner_text("h1"))
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 800})
            self.too_wide += [
                f"{self.seen[-1]} at {width}: {wide}" for wide in self.page.evaluate(TOO_WIDE_ELEMENTS)
            ]
            if self._pictures:
                file = self._pictures / f"web-{self._name}-{len(self.seen):02}-{width}.png"
                self.page.screenshot(path=file, full_page=True)

    @property
    def said(self) -> str:
        """What the page says was done."""
        return self.page.inner_text(".done")


@pytest.fixture(params=["ko", "en"])
def visit(request: pytest.FixtureRequest, browser: Browser, sample_site: Site) -> Iterator[tuple[str, Visit]]:
    """A visitor whose browser prefers the language."""
    language = request.param
    context = browser.new_context(locale=LOCALES[language], java_script_enabled=False)
    yield language, Visit(sample_site, context.new_page(), language, request.config.getoption("pictures"))
    context.close()


def test_a_reader_subscribes_chooses_pauses_leaves_and_comes_back(visit: tuple[str, Visit]) -> None:
    language, reader = visit
    site, address = reader.site, "minji@example.com"
    form, sent, asked, begun, settings, leaving, gone, again = HEADINGS[language]
    saved, paused, resumed = DONE[language]

    reader.go("/")
    assert reader.page.is_checked(f"input[value={language}]")
    reader.page.fill("#email", address)
    reader.press("main button")
    reader.go(path_in(site.mail(address), "c"))
    reader.press("main button")
    assert reader.seen == [form, sent, asked, begun]
    welcome = site.mail(address, 2)
    assert any("#paper-" in link for link in links_of(welcome))

    reader.go(path_in(welcome, "p"))
    reader.page.check("input[value=both]")
    reader.page.check("input[value=daily]")
    reader.press("form[action*=save] button")
    assert reader.said == saved
    row = site.subscriber(address)
    assert (row.language, row.frequency, row.status) == ("both", "daily", "active")

    until = site.clock().date() + timedelta(days=9)
    reader.page.fill("#until", f"{until}")
    reader.press("form[action*=pause] button")
    assert reader.said == paused
    assert (site.subscriber(address).status, site.subscriber(address).paused_until) == ("paused", until)
    assert format_day(language, until) in reader.page.inner_text("main")
    reader.press("form[action*=resume] button")
    assert reader.said == resumed
    assert site.subscriber(address).status == "active"
    assert reader.seen[-1] == settings

    reader.press("main a[href^='/u/']")
    reader.press("main button")
    assert reader.seen[-2:] == [leaving, gone]
    assert site.subscriber(address).status == "unsubscribed"
    farewell = site.mail(address, 3)
    reader.page.fill("#reason", "메일이 너무 많아요")
    reader.press("form:has(textarea) button")
    assert site.events(address)[-1].get("reason") == "메일이 너무 많아요"

    reader.go(path_in(farewell, "u"))
    reader.press("form[action*=undo] button")
    assert reader.seen[-1] == again
    assert site.subscriber(address).status == "active"
    assert not reader.too_wide, "\n".join(reader.too_wide)


def test_a_switch_changes_the_language_and_the_choice_lasts_to_the_answer(visit: tuple[str, Visit]) -> None:
    language, reader = visit
    other = "en" if language == "ko" else "ko"
    reader.go("/")
    reader.press(f"nav a[lang={other}]")
    assert reader.seen[-1] == HEADINGS[other][0]
    reader.page.fill("#email", "jihoon@example.com")
    reader.press("main button")
    assert reader.seen[-1] == HEADINGS[other][1]


def test_all_is_reached_by_keyboard(visit: tuple[str, Visit]) -> None:
    _, reader = visit
    reader.go("/")
    reader.page.focus("#email")
    reader.page.keyboard.type("keys@example.com")
    reader.page.keyboard.press("Tab")
    reader.page.keyboard.press("ArrowDown")
    reader.page.keyboard.press("Tab")
    reader.page.keyboard.press("Tab")
    assert reader.page.evaluate("document.activeElement.tagName") == "BUTTON"
    with reader.page.expect_navigation():
        reader.page.keyboard.press("Enter")
    reader.site.mail("keys@example.com")


def test_an_address_that_was_mistyped_is_asked_for_again_with_all_that_was_chosen(
    visit: tuple[str, Visit],
) -> None:
    _, reader = visit
    reader.go("/")
    reader.page.evaluate("document.querySelector('form').noValidate = true")
    reader.page.fill("#email", "minji@")
    reader.page.check("input[value=both]")
    reader.page.check("input[value=daily]")
    reader.press("main button")
    assert reader.page.input_value("#email") == "minji@"
    assert reader.page.is_checked("input[value=both]")
    assert reader.page.is_checked("input[value=daily]")
