"""Less instead of goodbye, the reader's own history, and how to resume after a long break."""

from datetime import timedelta

import pytest

from subscribers.tokens import LinkPurpose
from tests.support.factories import add_issue, issue_of
from tests.support.site import Site

ADDRESS = "minji@example.com"
WEEK = timedelta(weeks=1)


@pytest.mark.parametrize("has_left", [False, True])
@pytest.mark.parametrize(
    ("choice", "field", "expected"),
    [("4", "status", "paused"), ("weekly", "frequency", "weekly"), ("brief", "detail", "brief")],
)
def test_the_page_to_unsubscribe_offers_less_before_and_after_leaving(
    site: Site, has_left: bool, choice: str, field: str, expected: str
) -> None:
    site.add(ADDRESS, frequency="daily")
    link = site.link(LinkPurpose.UNSUBSCRIBE, ADDRESS)
    if has_left:
        site.client.post(link)
        assert site.subscriber(ADDRESS).status == "unsubscribed"
    assert f'name="choice" value="{choice}"' in site.client.get(link).text
    assert site.client.post(f"{link}/less", data={"choice": choice}).status_code == 303
    subscriber = site.subscriber(ADDRESS)
    assert getattr(subscriber, field) == expected
    assert subscriber.status == ("paused" if choice == "4" else "active")
    if choice == "4":
        today = site.settings.local(site.clock()).date()
        assert subscriber.paused_until == today + 4 * WEEK


def test_a_choice_that_the_page_does_not_offer_changes_nothing(site: Site) -> None:
    site.add(ADDRESS)
    link = site.link(LinkPurpose.UNSUBSCRIBE, ADDRESS)
    site.client.post(link)
    for choice in ("", "52", "never"):
        assert site.client.post(f"{link}/less", data={"choice": choice}).status_code == 409
    assert site.subscriber(ADDRESS).status == "unsubscribed"


def test_whoever_resumes_after_a_long_break_chooses_to_catch_up_or_to_begin_with_the_newest_issue(
    sample_site: Site,
) -> None:
    site = sample_site
    for address in (ADDRESS, "other@example.com"):
        site.add(address)
        settings = site.link(LinkPurpose.PREFERENCES, address)
        until = (site.settings.local(site.clock()).date() + 8 * WEEK).isoformat()
        site.client.post(f"{settings}/pause", data={"until": until})
        assert "Catch up" not in site.client.get(f"{settings}?lang=en").text, "the break has just begun"
    before = site.subscriber(ADDRESS).cursor
    site.clock.ahead += 6 * WEEK
    with site.database.sessions.begin() as session:
        add_issue(session, issue_of(2, start=site.clock().date()), topic_id=9900, now=site.clock())
    for address, form in ((ADDRESS, {}), ("other@example.com", {"skip": "1"})):
        settings = site.link(LinkPurpose.PREFERENCES, address)
        page = site.client.get(f"{settings}?lang=en").text
        assert "Catch up" in page
        assert "Newest issue only" in page
        site.client.post(f"{settings}/resume", data=form)
        assert site.subscriber(address).status == "active"
    assert site.subscriber(ADDRESS).cursor == before
    assert site.subscriber("other@example.com").cursor > before


def test_subscribers_see_their_mails_and_get_one_again_up_to_three_times_a_day(sample_site: Site) -> None:
    site = sample_site
    site.add(ADDRESS)
    site.add("other@example.com")
    site.digest()
    settings = site.link(LinkPurpose.PREFERENCES, ADDRESS)
    page = site.client.get(f"{settings}/mails?lang=en").text
    assert str(site.mail(ADDRESS)["Subject"]).split(",")[0] in page
    own = page.partition(f"{settings}/mails/")[2].partition("?")[0]
    foreign = next(number for number in range(1, 99) if str(number) != own)
    assert site.client.post(f"{settings}/mails/{foreign}").headers["location"].endswith("done=not_again")
    for number in range(5):
        site.clock.ahead += timedelta(minutes=2)
        answer = site.client.post(f"{settings}/mails/{own}")
        assert answer.headers["location"].endswith("done=again" if number < 3 else "done=not_again")
    assert site.mail(ADDRESS, 4)
    site.wait_until_idle()
    assert len(site.mails(ADDRESS)) == 4
    assert len(site.mails("other@example.com")) == 1
