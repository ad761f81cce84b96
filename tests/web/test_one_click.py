"""Unsubscribing by the header of a mail, as mail clients do it (RFC 8058), and by its link."""

import re
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from delivery.models import Delivery
from tests.support.factories import add_issue
from tests.support.site import Site

ADDRESS = "minji@example.com"
FORMS = {
    "urlencoded": {"data": {"List-Unsubscribe": "One-Click"}},
    "multipart": {"files": {"List-Unsubscribe": (None, "One-Click")}},
}


@pytest.fixture
def unsubscribe(site: Site) -> str:
    """The address in the header of a digest that a reader got."""
    with site.database.sessions.begin() as session:
        add_issue(session)
    site.add(ADDRESS)
    assert site.digest().sent == 1
    mail = site.mail(ADDRESS)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = re.search(r"<(http[^>]+)>", mail["List-Unsubscribe"])
    assert found
    return found[1]


def post(address: str, form: str) -> httpx.Response:
    """What a mail client sends: no cookies, no origin, no redirect followed."""
    return httpx.post(address, follow_redirects=False, headers={"User-Agent": "mail client"}, **FORMS[form])  # type: ignore[arg-type]


@pytest.mark.parametrize("form", FORMS)
def test_one_click_ends_the_subscription_at_once(site: Site, unsubscribe: str, form: str) -> None:
    answer = post(unsubscribe, form)
    assert (answer.status_code, answer.text) == (200, "unsubscribed\n")
    assert not {"location", "set-cookie"} & set(answer.headers)
    assert site.subscriber(ADDRESS).status == "unsubscribed"


def test_the_next_digest_skips_the_reader_with_the_reason(site: Site, unsubscribe: str) -> None:
    post(unsubscribe, "urlencoded")
    with site.database.sessions.begin() as session:
        add_issue(session, topic_id=9002)
    site.clock.ahead = timedelta(days=6)
    report = site.digest()
    assert (report.candidates, report.sent, report.reasons) == (1, 0, {"unsubscribed": 1})
    site.clock.ahead = timedelta(days=14)
    assert site.digest().candidates == 0


def test_a_digest_that_waits_is_skipped_with_the_reason(site: Site, unsubscribe: str) -> None:
    with site.database.sessions.begin() as session:
        add_issue(session, topic_id=9002)
    site.clock.ahead = monday = timedelta(days=7 - site.settings.local(site.clock()).weekday())
    site.server.on_rcpt = "451 4.2.1 come again later"
    assert site.digest().deferred == 1
    post(unsubscribe, "urlencoded")
    site.server.on_rcpt = None
    site.mail(ADDRESS, 2)
    site.clock.ahead = monday + timedelta(days=1)  # in the same week
    assert site.digest().reasons == {"unsubscribed": 1}
    with site.database.sessions() as session:
        group_commit = [
            (mail.state, mail.reply) for mail in session.scalars(select(Delivery).order_by(Delivery.id))
        ]
    assert group_commit[1] == ("skipped", "unsubscribed")


def test_a_second_click_changes_nothing_and_no_second_farewell_goes_out(site: Site, unsubscribe: str) -> None:
    post(unsubscribe, "urlencoded")
    site.mail(ADDRESS, 2)
    site.wait_until_idle()
    before = site.rows()
    assert post(unsubscribe, "multipart").status_code == 200
    site.wait_until_idle()
    assert site.rows() == before
    assert len(site.mails(ADDRESS)) == 2


def test_a_link_of_years_ago_still_unsubscribes(site: Site) -> None:
    site.add(ADDRESS)
    old = site.link("unsubscribe", ADDRESS, days_ago=4000)
    assert site.client.get(old).status_code == 200
    assert post(site.url + old, "urlencoded").status_code == 200
    assert site.subscriber(ADDRESS).status == "unsubscribed"


def test_a_token_of_nobody_or_of_another_purpose_is_not_found_and_changes_nothing(site: Site) -> None:
    site.add(ADDRESS)
    right = site.link("unsubscribe", ADDRESS)
    other = site.link("confirm", ADDRESS).replace("/c/", "/u/")
    before = site.rows()
    for wrong in (right[:-1], f"{right}A", f"{right}=", "/u/x", other, right[:-2] + "__"):
        assert post(site.url + wrong, "urlencoded").status_code == 404
        assert site.client.get(wrong).status_code == 404
    assert site.rows() == before


def test_a_browser_is_shown_a_page_instead_and_a_reason_is_kept(site: Site) -> None:
    site.add(ADDRESS)
    link = site.link("unsubscribe", ADDRESS)
    assert site.client.post(link).status_code == 303
    assert site.client.post(link, data={"reason": "너무\x00 많아요 <b>"}).status_code == 303
    what = [(event["what"], event.get("reason")) for event in site.events(ADDRESS)[-2:]]
    assert what == [("unsubscribed", None), ("said why", "너무 많아요 b")]
