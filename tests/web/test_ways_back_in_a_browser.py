"""Whoever was locked out finds the way back by real pages and real mails, in a browser without scripts."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page

from subscribers.suppression import COMPLAINT, suppress
from subscribers.tokens import LinkPurpose
from tests.support.site import Site, path_in

ADDRESS = "minji@example.com"
NEW_ADDRESS = "new@example.com"
DAY = timedelta(days=1)


@pytest.fixture
def page(browser: Browser, sample_site: Site) -> Iterator[Page]:
    context = browser.new_context(
        base_url=sample_site.url,
        locale="ko-KR",
        java_script_enabled=False,
        viewport={"width": 375, "height": 800},
    )
    yield context.new_page()
    context.close()


def suppress_by(site: Site, reason: str) -> None:
    with site.database.sessions.begin() as session:
        suppress(session, ADDRESS, reason, site.clock())


def sign_up(page: Page) -> str:
    page.goto("/")
    page.fill("#email", ADDRESS)
    page.click(".sign-up button")
    return page.inner_text("h1")


def test_a_reader_whose_mailbox_was_full_signs_up_again(page: Page, sample_site: Site) -> None:
    site = sample_site
    site.add(ADDRESS)
    suppress_by(site, "returned: 550 5.1.1 No such user")
    site.clock.ahead += DAY
    assert sign_up(page) == "이메일을 확인해 주세요"
    page.goto(path_in(site.mail(ADDRESS), "c"))
    page.click("main button")
    assert page.inner_text("h1") == "구독이 시작되었습니다"
    assert path_in(site.mail(ADDRESS, 2), "p"), "a welcome with the link to the settings"


def test_a_reader_who_reported_spam_returns_by_a_mail_of_before_and_gets_nothing_until_then(
    page: Page, sample_site: Site
) -> None:
    site = sample_site
    site.add(ADDRESS)
    site.digest()
    suppress_by(site, COMPLAINT)
    site.clock.ahead += 100 * DAY
    assert sign_up(page) == "이메일을 확인해 주세요"
    site.wait_until_idle()
    assert len(site.mails(ADDRESS)) == 1
    page.goto(path_in(site.mail(ADDRESS), "u"))
    page.click("form[action*=undo] button")
    assert page.inner_text("h1") == "다시 구독 중입니다"
    assert site.subscriber(ADDRESS).status == "active"


def test_a_reader_who_was_forgotten_signs_up_like_any_other(page: Page, sample_site: Site) -> None:
    site = sample_site
    site.add(ADDRESS)
    page.goto(site.link(LinkPurpose.PREFERENCES, ADDRESS))
    page.check("form[action*=forget] input")
    page.click("form[action*=forget] button")
    sign_up(page)
    page.goto(path_in(site.mail(ADDRESS), "c"))
    page.click("main button")
    assert site.subscriber(ADDRESS).status == "active"


def test_a_reader_with_a_new_address_gets_the_settings_by_mail_and_leaves_by_the_oldest_mail(
    page: Page, sample_site: Site
) -> None:
    site = sample_site
    site.add(ADDRESS)
    site.digest()
    page.goto(path_in(site.mail(ADDRESS), "p"))
    page.fill("form[action*=move] input", NEW_ADDRESS)
    page.click("form[action*=move] button")
    page.goto(path_in(site.mail(NEW_ADDRESS), "m"))
    page.click("main button")
    site.clock.ahead += 2 * DAY
    page.goto("/")
    page.fill("#subscribed", NEW_ADDRESS)
    page.click("#settings-link button")
    page.goto(path_in(site.mail(NEW_ADDRESS, 3), "p"))
    page.click("form[action*=revoke] button")
    page.goto(path_in(site.mail(ADDRESS), "u"))
    page.click("main button")
    assert page.inner_text("h1") == "구독이 해지되었습니다"
    assert site.subscriber(NEW_ADDRESS).status == "unsubscribed"
