"""Mail scanners open every link of a mail before its recipient does. That must not change anything."""

import pytest
from playwright.sync_api import Browser

from emails.kinds import MailKind
from subscribers.tokens import LinkPurpose
from tests.support.site import Site, links_of, path_in


@pytest.fixture
def links(sample_site: Site) -> list[str]:
    """The links to our pages in one mail of each kind. Each recipient is in the state for which the mail was written."""
    site = sample_site
    site.sign_up("pending@example.com")
    site.sign_up("new@example.com", language="both")
    site.client.post(path_in(site.mail("new@example.com"), "c"))
    site.add("active@example.com")
    site.digest()
    site.add("quiet@example.com", language="en")
    site.send_letter(MailKind.PREFERENCES_LINK, "quiet@example.com")
    site.sign_up("quiet@example.com")
    site.client.post(
        site.link(LinkPurpose.PREFERENCES, "quiet@example.com") + "/move", data={"email": "next@example.com"}
    )
    site.add("gone@example.com")
    site.client.post(site.link(LinkPurpose.UNSUBSCRIBE, "gone@example.com"))
    for address, count in {"new": 2, "active": 1, "quiet": 2, "next": 1, "gone": 1}.items():
        site.mail(f"{address}@example.com", count)
    site.wait_until_idle()
    found = {link.partition("#")[0] for mail in site.mails() for link in links_of(mail)}
    return sorted(link for link in found if link.startswith(site.url))


def test_a_scanner_that_runs_scripts_changes_nothing(
    sample_site: Site, links: list[str], browser: Browser
) -> None:
    pages = {link.removeprefix(sample_site.url).split("/")[1].partition("?")[0] for link in links}
    assert {"c", "m", "p", "u", "archive"} <= pages
    before = sample_site.rows()
    statuses = _open_all(browser, links)
    sample_site.wait_until_idle()
    assert set(statuses) == {200}
    assert sample_site.rows() == before


def _open_all(browser: Browser, links: list[str]) -> list[int]:
    """Open all links at once, and wait until each page is idle. Returns the statuses."""
    context = browser.new_context()
    pages = [context.new_page() for _ in links]
    answers = [page.goto(link) for page, link in zip(pages, links, strict=True)]
    for page in pages:
        page.wait_for_load_state("networkidle")
    context.close()
    return [answer.status for answer in answers if answer]


def test_a_head_request_changes_nothing_and_has_the_status_of_the_page(
    sample_site: Site, links: list[str]
) -> None:
    before = sample_site.rows()
    for link in links:
        answer = sample_site.client.head(link)
        assert (answer.status_code, answer.content) == (200, b""), link
    sample_site.wait_until_idle()
    assert sample_site.rows() == before


def test_actions_of_buttons_cannot_be_triggered_by_links(sample_site: Site) -> None:
    address = sample_site.add("minji@example.com")
    preferences = sample_site.link(LinkPurpose.PREFERENCES, address)
    unsubscribe = sample_site.link(LinkPurpose.UNSUBSCRIBE, address)
    before = sample_site.rows()
    for path in ("save", "pause", "resume", "move", "revoke", "forget", "fresh"):
        assert sample_site.client.get(f"{preferences}/{path}").status_code == 405
    assert sample_site.client.get(f"{unsubscribe}/undo").status_code == 405
    assert sample_site.rows() == before
