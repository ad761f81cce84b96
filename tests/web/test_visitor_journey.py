"""A visitor's whole journey in a browser without scripts: subscribe, confirm, choose, pause, leave, come back."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from core.languages import TextLanguage
from paperboy.web.i18n import format_day
from tests.support.programs import TOO_WIDE_ELEMENTS
from tests.support.site import Site, links_of, path_in

SCREEN_WIDTHS = (375, 1280)
LOCALES = {"ko": "ko-KR", "en": "en-GB"}
HEADINGS = {
    "ko": (
        "논문 소식 구독",
        "이메일을 확인해 주세요",
        "구독을 시작하시겠어요?",
        "구독이 시작되었습니다",
        "구독 설정",
        "구독을 해지하시겠어요?",
        "구독이 해지되었습니다",
        "다시 구독 중입니다",
    ),
    "en": (
        "Subscribe to the paper digest",
        "Check your inbox",
        "Confirm your subscription",
        "You're subscribed",
        "Your subscription",
        "Unsubscribe?",
        "You've been unsubscribed",
        "You're subscribed again",
    ),
}
CONFIRMATIONS = {
    "ko": ("저장했습니다.", "구독을 잠시 쉽니다.", "다시 보내드립니다."),
    "en": ("Saved.", "Paused.", "Your emails will resume."),
}


class Visitor:
    """A visitor with a browser. The width of every page is checked, and pictures are taken if the options say so."""

    def __init__(self, site: Site, page: Page, language: TextLanguage, pictures: Path | None) -> None:
        self.site, self.page, self.language, self._pictures = site, page, language, pictures
        self.headings: list[str] = []
        self.too_wide: list[str] = []

    def visit(self, path: str) -> None:
        """Open a page."""
        self.page.goto(self.site.url + path)
        self._check_page()

    def press(self, selector: str) -> None:
        """Press a button or follow a link."""
        self.page.click(selector)
        self._check_page()

    def _check_page(self) -> None:
        """Record the heading, and the elements that are wider than the screen of a phone or a desktop."""
        self.headings.append(self.page.inner_text("h1"))
        for width in SCREEN_WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 800})
            self.too_wide += [
                f"{self.headings[-1]} at {width}: {element}"
                for element in self.page.evaluate(TOO_WIDE_ELEMENTS)
            ]
            if self._pictures:
                file = self._pictures / f"web-{self.language}-{len(self.headings):02}-{width}.png"
                self.page.screenshot(path=file, full_page=True)

    @property
    def confirmation(self) -> str:
        """What the page says it has done."""
        return self.page.inner_text(".done")


@pytest.fixture(params=list(TextLanguage))
def visitor(request: pytest.FixtureRequest, browser: Browser, sample_site: Site) -> Iterator[Visitor]:
    """A visitor whose browser prefers a language, once for each language."""
    language: TextLanguage = request.param
    context = browser.new_context(locale=LOCALES[language], java_script_enabled=False)
    yield Visitor(sample_site, context.new_page(), language, request.config.getoption("pictures"))
    context.close()


# It is long because it is one journey from the first visit to the last.
def test_a_visitor_subscribes_chooses_pauses_leaves_and_comes_back(visitor: Visitor) -> None:
    site, language, address = visitor.site, visitor.language, "minji@example.com"
    form, sent, confirm, begun, preferences, leave, gone, back = HEADINGS[language]
    saved, paused, resumed = CONFIRMATIONS[language]

    visitor.visit("/")
    assert visitor.page.is_checked(f"input[value={language}]")
    visitor.page.fill("#email", address)
    visitor.press("main button")
    visitor.visit(path_in(site.mail(address), "c"))
    visitor.press("main button")
    assert visitor.headings == [form, sent, confirm, begun]
    welcome = site.mail(address, 2)
    assert any("/archive/" in link for link in links_of(welcome))

    visitor.visit(path_in(welcome, "p"))
    visitor.page.check("input[value=both]")
    visitor.page.check("input[value=daily]")
    visitor.page.check("input[value=brief]")
    visitor.press("form[action*=save] button")
    assert visitor.confirmation == saved
    row = site.subscriber(address)
    assert (row.language, row.frequency, row.detail, row.status) == ("both", "daily", "brief", "active")

    last_day = site.clock().date() + timedelta(days=9)
    visitor.page.fill("#until", f"{last_day}")
    visitor.press("form[action*=pause]:has(#until) button")
    assert visitor.confirmation == paused
    assert (site.subscriber(address).status, site.subscriber(address).paused_until) == ("paused", last_day)
    assert format_day(language, last_day) in visitor.page.inner_text("main")
    visitor.press("form[action*=resume] button")
    assert visitor.confirmation == resumed
    assert site.subscriber(address).status == "active"
    assert visitor.headings[-1] == preferences

    visitor.press("main a[href^='/u/']")
    visitor.press("main button")
    assert visitor.headings[-2:] == [leave, gone]
    assert site.subscriber(address).status == "unsubscribed"
    farewell = site.mail(address, 3)
    reason = "메일이 너무 많아요"
    visitor.page.fill("#reason", reason)
    visitor.press("form:has(textarea) button")
    assert site.events(address)[-1].get("reason") == reason

    visitor.visit(path_in(farewell, "u"))
    visitor.press("form[action*=undo] button")
    assert visitor.headings[-1] == back
    assert site.subscriber(address).status == "active"
    assert not visitor.too_wide, "\n".join(visitor.too_wide)


def test_the_language_switch_also_decides_the_language_of_the_answer(visitor: Visitor) -> None:
    other = "en" if visitor.language == TextLanguage.KO else "ko"
    visitor.visit("/")
    visitor.press(f"nav a[lang={other}]")
    assert visitor.headings[-1] == HEADINGS[other][0]
    visitor.page.fill("#email", "jihoon@example.com")
    visitor.press("main button")
    assert visitor.headings[-1] == HEADINGS[other][1]


def test_the_sign_up_form_works_with_the_keyboard_alone(visitor: Visitor) -> None:
    visitor.visit("/")
    visitor.page.focus("#email")
    visitor.page.keyboard.type("keys@example.com")
    visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("ArrowDown")
    for _choice in ("frequency", "detail", "button"):
        visitor.page.keyboard.press("Tab")
    assert visitor.page.evaluate("document.activeElement.tagName") == "BUTTON"
    with visitor.page.expect_navigation():
        visitor.page.keyboard.press("Enter")
    visitor.site.mail("keys@example.com")


def test_a_mistyped_address_brings_the_form_again_with_all_choices_kept(visitor: Visitor) -> None:
    visitor.visit("/")
    visitor.page.evaluate("document.querySelector('form').noValidate = true")
    visitor.page.fill("#email", "minji@")
    visitor.page.check("input[value=both]")
    visitor.page.check("input[value=daily]")
    visitor.page.check("input[value=brief]")
    visitor.press("main button")
    assert visitor.page.input_value("#email") == "minji@"
    assert visitor.page.is_checked("input[value=both]")
    assert visitor.page.is_checked("input[value=daily]")
    assert visitor.page.is_checked("input[value=brief]")
