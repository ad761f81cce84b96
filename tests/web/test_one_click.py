"""Unsubscribing with one click by the header of a mail, as mail clients do it (RFC 8058), and by its link."""

import re
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import httpx
import pytest
from sqlalchemy import select

from delivery.models import Delivery
from monitoring.probe_mail import probe_mail
from paperboy.doctor import web_pages
from subscribers.tokens import LinkPurpose
from tests.support.factories import IDENTITY, NOW, add_issue
from tests.support.site import Site

ADDRESS = "minji@example.com"
FORMS = {
    "urlencoded": {"data": {"List-Unsubscribe": "One-Click"}},
    "multipart": {"files": {"List-Unsubscribe": (None, "One-Click")}},
}


@pytest.fixture
def unsubscribe_url(site: Site) -> str:
    """The URL in the List-Unsubscribe header of a digest."""
    with site.database.sessions.begin() as session:
        add_issue(session)
    site.add(ADDRESS)
    assert site.digest().sent == 1
    mail = site.mail(ADDRESS)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = re.search(r"<(http[^>]+)>", mail["List-Unsubscribe"])
    assert found
    return found[1]


def post(url: str, form: str) -> httpx.Response:
    """Send what a mail client sends: without cookies and origin, and without following redirects."""
    return httpx.post(url, follow_redirects=False, headers={"User-Agent": "mail client"}, **FORMS[form])  # type: ignore[arg-type]


@pytest.mark.parametrize("form", FORMS)
def test_one_click_ends_the_subscription_at_once(site: Site, unsubscribe_url: str, form: str) -> None:
    answer = post(unsubscribe_url, form)
    assert (answer.status_code, answer.text) == (200, "unsubscribed\n")
    assert not {"location", "set-cookie"} & set(answer.headers)
    assert site.subscriber(ADDRESS).status == "unsubscribed"


def test_the_next_digest_skips_an_unsubscribed_subscriber_with_the_reason(
    site: Site, unsubscribe_url: str
) -> None:
    post(unsubscribe_url, "urlencoded")
    with site.database.sessions.begin() as session:
        add_issue(session, topic_id=9002)
    now = site.settings.local(datetime.now(UTC))
    next_week = datetime.combine(now.date() + timedelta(days=7 - now.weekday()), time(), now.tzinfo)
    site.clock.ahead = next_week - now
    report = site.digest()
    assert (report.candidates, report.sent, report.reasons) == (1, 0, {"unsubscribed": 1})
    site.clock.ahead = timedelta(days=14)
    assert site.digest().candidates == 0


def test_a_waiting_digest_is_skipped_with_the_reason(site: Site, unsubscribe_url: str) -> None:
    with site.database.sessions.begin() as session:
        add_issue(session, topic_id=9002)
    site.clock.ahead = monday = timedelta(days=7 - site.settings.local(site.clock()).weekday())
    site.server.on_rcpt = "451 4.2.1 come again later"
    assert site.digest().deferred == 1
    post(unsubscribe_url, "urlencoded")
    site.server.on_rcpt = None
    site.mail(ADDRESS, 2)
    site.clock.ahead = monday + timedelta(days=1)  # in the same week
    assert site.digest().reasons == {"unsubscribed": 1}
    with site.database.sessions() as session:
        deliveries = [
            (delivery.state, delivery.reply)
            for delivery in session.scalars(select(Delivery).order_by(Delivery.id))
        ]
    assert deliveries[1] == ("skipped", "unsubscribed")


def test_a_second_click_changes_nothing_and_brings_no_second_farewell(
    site: Site, unsubscribe_url: str
) -> None:
    post(unsubscribe_url, "urlencoded")
    site.mail(ADDRESS, 2)
    site.wait_until_idle()
    before = site.rows()
    assert post(unsubscribe_url, "multipart").status_code == 200
    site.wait_until_idle()
    assert site.rows() == before
    assert len(site.mails(ADDRESS)) == 2


def test_an_unsubscribe_link_works_even_after_years(site: Site) -> None:
    site.add(ADDRESS)
    old = site.link(LinkPurpose.UNSUBSCRIBE, ADDRESS, days_ago=4000)
    assert site.client.get(old).status_code == 200
    assert post(site.url + old, "urlencoded").status_code == 200
    assert site.subscriber(ADDRESS).status == "unsubscribed"


def test_a_reader_who_presses_the_button_to_come_back_twice_is_back(site: Site) -> None:
    site.add(ADDRESS)
    link = site.link(LinkPurpose.UNSUBSCRIBE, ADDRESS)
    site.client.post(link)
    answers = [site.client.post(f"{link}/undo") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert [event["what"] for event in site.events(ADDRESS)].count("came back") == 1


def test_an_invalid_token_is_answered_with_not_found_and_changes_nothing(site: Site) -> None:
    site.add(ADDRESS)
    valid = site.link(LinkPurpose.UNSUBSCRIBE, ADDRESS)
    other = site.link(LinkPurpose.CONFIRM, ADDRESS).replace("/c/", "/u/")
    before = site.rows()
    for invalid in (valid[:-1], f"{valid}A", f"{valid}=", "/u/x", other, valid[:-2] + "__"):
        assert post(site.url + invalid, "urlencoded").status_code == 404
        assert site.client.get(invalid).status_code == 404
    assert site.rows() == before


def test_a_browser_gets_a_page_instead_and_a_given_reason_is_stored(site: Site) -> None:
    site.add(ADDRESS)
    link = site.link(LinkPurpose.UNSUBSCRIBE, ADDRESS)
    assert site.client.post(link).status_code == 303
    assert site.client.post(link, data={"reason": "너무\x00 많아요 <b>"}).status_code == 303
    changes = [(event["what"], event.get("reason")) for event in site.events(ADDRESS)[-2:]]
    assert changes == [("unsubscribed", None), ("said why", "너무 많아요 b")]


def test_the_doctor_presses_the_button_with_a_link_of_nobody_and_the_pages_take_it(site: Site) -> None:
    stranger = replace(IDENTITY, base_url=site.url, key=b"a key of somebody else")
    findings = list(web_pages.check_pages(site.url, probe_mail(stranger, ADDRESS, NOW)))
    found = [(finding.name, finding.state) for finding in findings]
    assert found == [("pages", "ok"), ("pages version", "ok"), ("one-click request", "ok")]
