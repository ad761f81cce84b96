"""The list of subscribers, and what an operator sees and changes on the page of one."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select

from core.audit_log import OperatorAction
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus
from subscribers.suppression import suppress
from tests.admin.operator_client import proof_of_session, sign_in, visible_text
from tests.support.site import Site


@pytest.fixture
def signed_in(operator_site: Site) -> Site:
    sign_in(operator_site)
    return operator_site


def listed(site: Site, **filters: str) -> list[str]:
    page = LexborHTMLParser(site.client.get("/operator/readers", params=filters).text)
    return [node.text() for node in page.css("tbody td:first-child a")]


def act(site: Site, address: str, action: str, **fields: str) -> httpx.Response:
    """Send a form of the subscriber's page."""
    form = {"proof": proof_of_session(site), **fields}
    return site.client.post(f"/operator/readers/{site.subscriber(address).id}/{action}", data=form)


def page_of(site: Site, address: str) -> str:
    return visible_text(site.client.get(f"/operator/readers/{site.subscriber(address).id}"))


def test_subscribers_are_found_by_part_of_the_address_or_name_and_by_their_choices(signed_in: Site) -> None:
    signed_in.add("named@example.com", name="김민지", detail="brief")
    assert listed(signed_in) == [f"{name}@example.com" for name in ("named", "daily", "both", "en", "ko")]
    assert listed(signed_in, q="EN@") == ["en@example.com"]
    assert listed(signed_in, q="민지") == ["named@example.com"]
    assert listed(signed_in, frequency="daily") == ["daily@example.com"]
    assert listed(signed_in, language="ko", detail="brief") == ["named@example.com"]
    assert listed(signed_in, q="%") == listed(signed_in, status="bounced") == []
    assert len(listed(signed_in, status="nonsense")) == 5


def test_long_lists_have_pages_that_together_show_everybody_once(signed_in: Site) -> None:
    for number in range(60):
        signed_in.add(f"more{number}@example.com")
    first = signed_in.client.get("/operator/readers", params={"q": "more"})
    link = LexborHTMLParser(first.text).css_first("main > p > a[href*=before]")
    assert link is not None
    second = LexborHTMLParser(signed_in.client.get(link.attributes["href"] or "").text)
    rest = [node.text() for node in second.css("tbody td:first-child a")]
    shown = listed(signed_in, q="more") + rest
    assert sorted(shown) == sorted(f"more{number}@example.com" for number in range(60))


def test_the_page_says_what_comes_next_in_plain_words(signed_in: Site) -> None:
    assert "The digest of Monday 08:00 comes next. 5 papers are unread by now." in page_of(
        signed_in, "en@example.com"
    )
    signed_in.digest()
    assert "comes next if there is something new by then" in page_of(signed_in, "en@example.com")
    tomorrow = (signed_in.settings.local(signed_in.clock()) + timedelta(days=9)).date().isoformat()
    act(signed_in, "en@example.com", "pause", until=tomorrow)
    assert f"Mails are paused until {tomorrow}." in page_of(signed_in, "en@example.com")
    act(signed_in, "en@example.com", "end")
    assert "Nothing is sent, because the subscription has ended." in page_of(signed_in, "en@example.com")


def test_an_operator_changes_pauses_resumes_and_ends_a_subscription_and_all_is_recorded(
    signed_in: Site,
) -> None:
    address = "ko@example.com"
    edited = act(
        signed_in, address, "edit", language="both", frequency="daily", detail="brief", name="  김민지 "
    )
    assert edited.status_code == 303
    subscriber = signed_in.subscriber(address)
    assert (subscriber.language, subscriber.frequency, subscriber.detail, subscriber.name) == (
        "both",
        "daily",
        "brief",
        "김민지",
    )
    for action, status in (
        ("pause", SubscriberStatus.PAUSED),
        ("resume", SubscriberStatus.ACTIVE),
        ("end", SubscriberStatus.UNSUBSCRIBED),
    ):
        assert act(signed_in, address, action).status_code == 303
        assert signed_in.subscriber(address).status == status
    with signed_in.database.sessions() as session:
        rows = session.scalars(select(OperatorAction).order_by(OperatorAction.id)).all()
    assert [row.action for row in rows] == ["signed in", "edited", "paused", "resumed", "ended"]
    assert {row.target for row in rows[1:]} == {f"subscriber {subscriber.id}"}
    assert not any(address in repr(row.detail) for row in rows), "the log has no addresses"
    assert [event["from"] for event in signed_in.events(address)[2:]] == ["an operator"] * 4
    assert "operator ended" in page_of(signed_in, address)


def test_a_new_subscriber_with_the_id_of_a_forgotten_one_has_no_history(signed_in: Site) -> None:
    address = "ko@example.com"
    assert act(signed_in, address, "pause").status_code == 303
    assert "operator paused" in page_of(signed_in, address)
    with signed_in.database.sessions.begin() as session:
        subscriber = session.get_one(Subscriber, signed_in.subscriber(address).id)
        for event in subscriber.events:  # as if they had joined after that
            event.at = datetime.now(UTC) + timedelta(days=1)
    assert "operator paused" not in page_of(signed_in, address)


def test_a_suppression_is_lifted_by_its_button(signed_in: Site) -> None:
    address = "en@example.com"
    with signed_in.database.sessions.begin() as session:
        suppress(session, address, "returned: 550 5.1.1 No such user", signed_in.clock())
    assert "Suppressed: returned: 550 5.1.1 No such user" in page_of(signed_in, address)
    assert act(signed_in, address, "unsuppress").status_code == 303
    assert "Suppressed" not in page_of(signed_in, address)
    assert signed_in.subscriber(address).status == SubscriberStatus.ACTIVE
    signed_in.digest()
    assert signed_in.mail(address)


def test_what_is_not_possible_is_refused_in_one_line_and_changes_nothing(signed_in: Site) -> None:
    before = signed_in.rows(without=("rate_limit_counts",))
    for action, fields, complaint in (
        ("unsuppress", {}, "is not suppressed"),
        ("pause", {"until": "soon"}, "This is not a day."),
        ("pause", {"until": "2020-01-01"}, "The pause must end after today and within a year."),
        ("pause", {"until": "9999-12-31"}, "The pause must end after today and within a year."),
    ):
        refused = act(signed_in, "ko@example.com", action, **fields)
        assert refused.status_code == 409, action
        assert complaint in visible_text(refused)
    wrong = act(signed_in, "ko@example.com", "edit", language="fr", frequency="daily", detail="full")
    assert wrong.status_code == 400
    assert signed_in.rows(without=("rate_limit_counts",)) == before
