"""The preferences page: expired links, revoking all links, the stored data, erasing it, and a new address."""

from datetime import timedelta

import pytest

from subscribers.choices import MAX_PAUSE
from subscribers.tokens import LinkPurpose
from tests.support.site import Site, path_in

ADDRESS, NEW_ADDRESS = "minji@example.com", "jihoon@example.com"
NAME = "김민지"


@pytest.fixture
def preferences(site: Site) -> str:
    """The path of the preferences page of a subscriber."""
    site.add(ADDRESS, name=NAME)
    return site.link(LinkPurpose.PREFERENCES, ADDRESS)


def test_an_expired_link_shows_nothing_and_brings_a_new_one_by_mail_once_a_day(site: Site) -> None:
    site.add(ADDRESS)
    old = site.link(LinkPurpose.PREFERENCES, ADDRESS, days_ago=31)
    page = site.client.get(old)
    assert (page.status_code, ADDRESS in page.text) == (410, False)
    for path in ("save", "pause", "move", "forget", "revoke"):
        assert site.client.post(f"{old}/{path}", data={"sure": "1"}).status_code == 404
    for _ in range(3):
        assert site.client.post(f"{old}/fresh").headers["location"] == "/sent"
        site.wait_until_idle()
    assert len(site.mails()) == 1
    assert site.client.get(path_in(site.mail(ADDRESS), "p")).status_code == 200


def test_an_old_confirmation_mail_does_not_open_the_settings(site: Site) -> None:
    site.sign_up(ADDRESS)
    link = path_in(site.mail(ADDRESS), "c")
    site.client.post(link)
    just_confirmed = site.client.get(link)
    site.clock.ahead = timedelta(hours=2)
    later = site.client.get(link)
    assert (just_confirmed.status_code, later.status_code) == (200, 200)
    assert ("/p/" in just_confirmed.text, "/p/" in later.text) == (True, False)


def test_revoking_all_links_ends_each_but_unsubscribing_and_leads_to_a_new_one(
    site: Site, preferences: str
) -> None:
    purposes = (LinkPurpose.CONFIRM, LinkPurpose.PREFERENCES, LinkPurpose.UNSUBSCRIBE)
    old = [site.link(purpose, ADDRESS) for purpose in purposes]
    new = site.client.post(f"{preferences}/revoke").headers["location"]
    assert [site.client.get(link).status_code for link in old] == [404, 404, 200]
    assert site.client.get(new).status_code == 200
    assert site.subscriber(ADDRESS).status == "active"
    assert site.client.post(old[2]).status_code == 303, "a link to unsubscribe works for ever"
    assert site.subscriber(ADDRESS).status == "unsubscribed"


@pytest.mark.parametrize(("hour", "is_next_day"), [(1, False), (20, True)])
def test_a_pause_ends_within_a_year_by_the_readers_calendar(
    site: Site, preferences: str, hour: int, is_next_day: bool
) -> None:
    now = site.clock()
    site.clock.ahead = now.replace(hour=hour, minute=30) + timedelta(days=1) - now
    today = site.clock().date() + timedelta(days=is_next_day)  # in Seoul
    days = {"today": today, "tomorrow": today + timedelta(days=1), "the last": today + MAX_PAUSE}
    days["one more"] = days["the last"] + timedelta(days=1)
    statuses = {
        name: site.client.post(f"{preferences}/pause", data={"until": f"{day}"}).status_code
        for name, day in days.items()
    }
    assert statuses == {"today": 400, "tomorrow": 303, "the last": 303, "one more": 400}


def test_nothing_is_erased_until_the_box_is_checked(site: Site, preferences: str) -> None:
    before = site.rows()
    assert site.client.post(f"{preferences}/forget").status_code == 400
    assert site.rows() == before


def test_a_forgotten_subscriber_is_in_no_row_of_any_table(site: Site, preferences: str) -> None:
    site.server.on_body = lambda message: f"250 2.0.0 queued for {message.rcpt[0]}"
    site.sign_up(ADDRESS)
    site.mail(ADDRESS)
    site.client.post(f"{preferences}/move", data={"email": NEW_ADDRESS})
    site.mail(NEW_ADDRESS)
    site.wait_until_idle()
    stored = repr(site.rows())
    assert ADDRESS in stored
    assert NEW_ADDRESS in stored
    assert site.client.post(f"{preferences}/forget", data={"sure": "1"}).status_code == 200
    rows = site.rows()
    for trace in (ADDRESS, NEW_ADDRESS, NAME):
        assert trace not in repr(rows)
    assert rows["account_events"] == []
    assert len(rows["forgotten_addresses"]) == 1
    assert site.client.get(preferences).status_code == 404


def test_language_frequency_and_detail_can_each_be_changed_without_the_others(
    site: Site, preferences: str
) -> None:
    def choices() -> tuple[str, str, str]:
        row = site.subscriber(ADDRESS)
        return row.language, row.frequency, row.detail

    site.client.post(f"{preferences}/save", data={"language": "en", "frequency": "daily"})
    assert choices() == ("en", "daily", "full")
    site.client.post(f"{preferences}/save", data={"detail": "brief"})
    assert choices() == ("en", "daily", "brief")
    site.client.post(f"{preferences}/save", data={"language": "both"})
    assert choices() == ("both", "daily", "brief")
    site.client.post(f"{preferences}/save", data={"frequency": "weekly"})
    assert choices() == ("both", "weekly", "brief")
    assert site.client.post(f"{preferences}/save", data={"detail": "long"}).status_code == 400
    assert choices() == ("both", "weekly", "brief")


@pytest.mark.parametrize(("asked", "kept"), [("?lang=en", "&lang=en"), ("?lang=xx", ""), ("", "")])
def test_the_page_after_a_change_is_in_the_language_that_the_visitor_chose(
    site: Site, preferences: str, asked: str, kept: str
) -> None:
    answer = site.client.post(f"{preferences}/save{asked}", data={"language": "en"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{preferences}?done=saved{kept}")


def test_the_download_has_all_stored_data_and_all_mails(site: Site, preferences: str) -> None:
    site.client.post(f"{preferences}/save", data={"language": "both", "frequency": "daily"})
    site.client.post(f"{preferences}/move", data={"email": NEW_ADDRESS})
    site.sign_up(ADDRESS)
    site.mail(ADDRESS)
    site.wait_until_idle()
    answer = site.client.get(f"{preferences}/data.json")
    assert answer.headers["content-disposition"].startswith("attachment")
    data, row = answer.json(), site.subscriber(ADDRESS)
    names = ("email", "name", "language", "frequency", "detail", "status", "new_email")
    stored = {name: data[name] for name in names}
    assert stored == {name: getattr(row, name) for name in stored}
    assert [event["what"] for event in data["events"]] == [event["what"] for event in site.events(ADDRESS)]
    assert len(data["mails"]) == 2
    assert {mail["state"] for mail in data["mails"]} == {"sent"}
    internal = {"id", "cursor", "handle", "events"}
    assert set(data) - {"mails", "events"} == {column.key for column in row.__table__.columns} - internal


def test_an_address_changes_once_the_new_one_is_confirmed(site: Site, preferences: str) -> None:
    site.client.post(f"{preferences}/move", data={"email": NEW_ADDRESS})
    link = path_in(site.mail(NEW_ADDRESS), "m")
    assert site.subscriber(ADDRESS).email == ADDRESS
    assert site.client.post(link).status_code == 200
    assert site.subscriber(NEW_ADDRESS).name == NAME
    assert [site.client.post(old).status_code for old in (link, f"{preferences}/save")] == [404, 404]


def test_a_taken_address_gets_no_mail_and_the_page_does_not_reveal_it(site: Site, preferences: str) -> None:
    site.add(NEW_ADDRESS)
    free = site.client.post(f"{preferences}/move", data={"email": "free@example.com"})
    site.mail("free@example.com")
    site.wait_until_idle()
    taken = site.client.post(f"{preferences}/move", data={"email": NEW_ADDRESS})
    assert (free.status_code, free.headers["location"]) == (taken.status_code, taken.headers["location"])
    site.wait_until_idle()
    assert site.mails(NEW_ADDRESS) == []


def test_a_link_sent_to_one_address_does_not_confirm_another(site: Site, preferences: str) -> None:
    site.client.post(f"{preferences}/move", data={"email": "own@example.com"})
    link = path_in(site.mail("own@example.com"), "m")
    site.client.post(f"{preferences}/move", data={"email": "victim@example.com"})
    assert site.client.post(link).status_code == 404
    assert site.subscriber(ADDRESS).email == ADDRESS
