"""Nobody is locked out: whoever bounced, complained, moved, revoked their links or was forgotten has a way back or out."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from core.database import Database
from mailings.account_mails import forget
from mailings.context import identity_from
from subscribers.accounts import find
from subscribers.suppression import COMPLAINT, is_suppressed, suppress
from subscribers.tokens import LinkPurpose
from tests.support.site import KEY, Site, open_site, path_in

ADDRESS = "minji@example.com"
DAY = timedelta(days=1)


def suppress_by(site: Site, reason: str, address: str = ADDRESS) -> None:
    with site.database.sessions.begin() as session:
        suppress(session, address, reason, site.clock())


def forget_subscriber(site: Site) -> None:
    with site.database.sessions.begin() as session:
        subscriber = find(session, ADDRESS)
        assert subscriber
        forget(session, subscriber, identity_from(site.settings), site.clock())


def has_suppression(site: Site, address: str = ADDRESS) -> bool:
    with site.database.sessions() as session:
        return is_suppressed(session, address)


def one_click(site: Site, link: str) -> httpx.Response:
    return site.client.post(link, data={"List-Unsubscribe": "One-Click"})


# --- suppressed addresses -----------------------------------------------------------


def test_an_address_that_bounced_gets_a_confirmation_after_a_pause_and_is_subscribed_by_it(
    site: Site,
) -> None:
    site.add(ADDRESS)
    suppress_by(site, "returned: 550 5.1.1 No such user")
    site.sign_up(ADDRESS)
    site.wait_until_idle()
    assert not site.mails(ADDRESS), "it bounced just now"
    site.clock.ahead += DAY
    site.sign_up(ADDRESS)
    confirmation = site.mail(ADDRESS)
    assert site.client.post(path_in(confirmation, "c")).status_code == 303
    assert site.subscriber(ADDRESS).status == "active"
    assert not has_suppression(site)
    assert site.mail(ADDRESS, 2)


def test_whoever_complained_gets_nothing_until_they_ask_by_a_link_from_an_earlier_mail(
    sample_site: Site,
) -> None:
    site = sample_site
    site.add(ADDRESS)
    site.digest()
    old_link = path_in(site.mail(ADDRESS), "u")
    suppress_by(site, COMPLAINT)
    for _ in range(2):
        site.clock.ahead += 100 * DAY
        site.sign_up(ADDRESS)
        site.wait_until_idle()
    assert len(site.mails(ADDRESS)) == 1
    page = site.client.get(f"{old_link}?lang=en").text
    assert "Your emails have stopped" in page
    assert site.client.post(f"{old_link}/undo").status_code == 303
    assert (site.subscriber(ADDRESS).status, has_suppression(site)) == ("active", False)


def test_an_address_that_an_operator_suppressed_is_sent_nothing(site: Site) -> None:
    suppress_by(site, "by hand")
    site.clock.ahead += 100 * DAY
    site.sign_up(ADDRESS)
    site.wait_until_idle()
    assert not site.mails(ADDRESS)


def test_a_forgotten_address_signs_up_like_any_other(site: Site) -> None:
    site.add(ADDRESS)
    forget_subscriber(site)
    site.sign_up(ADDRESS)
    site.client.post(path_in(site.mail(ADDRESS), "c"))
    assert site.subscriber(ADDRESS).status == "active"


# --- links to unsubscribe -----------------------------------------------------------


def test_a_link_to_unsubscribe_works_after_the_address_was_changed_and_after_links_were_revoked(
    site: Site,
) -> None:
    site.add(ADDRESS)
    first = site.link(LinkPurpose.UNSUBSCRIBE, ADDRESS)
    settings = site.link(LinkPurpose.PREFERENCES, ADDRESS)
    site.client.post(f"{settings}/move", data={"email": "new@example.com"})
    site.client.post(path_in(site.mail("new@example.com"), "m"))
    settings = path_in(site.mail("new@example.com", 2), "p")
    assert site.client.get(settings).status_code == 200, "the new address gets the link to its settings"
    second = site.link(LinkPurpose.UNSUBSCRIBE, "new@example.com")
    site.client.post(f"{settings}/revoke")
    for link in (first, second):
        assert site.client.get(f"{link}?lang=en").status_code == 200
        assert one_click(site, link).text == "unsubscribed\n"
        assert site.subscriber("new@example.com").status == "unsubscribed"
        assert site.client.post(f"{link}/undo").status_code == 303
        assert site.subscriber("new@example.com").status == "active"


def test_after_a_change_of_the_key_older_keys_serve_for_unsubscribing_only(
    sample_database: Database, tmp_path: Path
) -> None:
    with open_site(sample_database, tmp_path) as before:
        before.add(ADDRESS)
        unsubscribe, settings, confirm = (
            before.link(purpose, ADDRESS)
            for purpose in (LinkPurpose.UNSUBSCRIBE, LinkPurpose.PREFERENCES, LinkPurpose.CONFIRM)
        )
    new_key = "another key, as long as the first"
    with open_site(
        sample_database, tmp_path, secret_key=new_key, old_secret_keys=f"x{'y' * 20}, {KEY}"
    ) as after:
        assert after.client.get(settings).status_code == after.client.get(confirm).status_code == 404
        assert one_click(after, unsubscribe).text == "unsubscribed\n"
        assert after.subscriber(ADDRESS).status == "unsubscribed"
    with open_site(sample_database, tmp_path, secret_key=new_key) as without:
        assert without.client.get(unsubscribe).status_code == 404


def test_a_link_of_somebody_who_was_forgotten_says_that_nobody_is_subscribed(site: Site) -> None:
    site.add(ADDRESS)
    link = site.link(LinkPurpose.UNSUBSCRIBE, ADDRESS)
    forget_subscriber(site)
    assert "not subscribed" in site.client.get(f"{link}?lang=en").text
    assert (one_click(site, link).status_code, one_click(site, link).text) == (200, "unsubscribed\n")
    assert site.client.get(f"{link[:-2]}xx").status_code == 404, "a link that we did not make"


# --- settings by mail ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("prepare", "mails"), [("active", 1), ("nobody", 0), ("suppressed", 0), ("pending", 0)]
)
def test_the_front_page_mails_a_settings_link_to_subscribers_and_says_the_same_to_all(
    site: Site, prepare: str, mails: int
) -> None:
    if prepare in {"active", "suppressed"}:
        site.add(ADDRESS)
    if prepare == "suppressed":
        suppress_by(site, COMPLAINT)
    if prepare == "pending":
        site.sign_up(ADDRESS)
        site.wait_until_idle()
    before = len(site.mails(ADDRESS))
    for _ in range(2):
        answer = site.client.post("/settings-link", data={"email": ADDRESS.upper()})
        assert (answer.status_code, answer.headers["location"]) == (303, "/asked")
    site.wait_until_idle()
    found = site.mails(ADDRESS)[before:]
    assert len(found) == mails, "and the same request is answered once a day"
    if found:
        assert site.client.get(path_in(found[0], "p")).status_code == 200


def test_an_issue_of_the_archive_is_mailed_to_subscribers_a_few_times_a_day(sample_site: Site) -> None:
    site = sample_site
    site.add(ADDRESS)
    for topic in (9655, 9140, 8427, 9655):
        for address in (ADDRESS, "nobody@example.com"):
            answer = site.client.post(f"/archive/{topic}/copy", data={"email": address})
            assert (answer.status_code, answer.headers["location"]) == (303, "/asked")
        site.clock.ahead += timedelta(minutes=2)
        site.wait_until_idle()
    site.mail(ADDRESS, 3)
    assert len(site.mails(ADDRESS)) == 3
    assert not site.mails("nobody@example.com")
