"""A reader's own page: old links, all links at once, all that is stored, nothing any more, and another address."""

import pytest

from tests.support.site import Site, path_in

ADDRESS, NEXT = "minji@example.com", "jihoon@example.com"
NAME = "김민지"


@pytest.fixture
def settings(site: Site) -> str:
    """The path of a reader's own page."""
    site.add(ADDRESS, name=NAME)
    return site.link("preferences", ADDRESS)


def test_an_old_link_shows_nothing_and_brings_a_fresh_one_by_mail_once_a_day(site: Site) -> None:
    site.add(ADDRESS)
    old = site.link("preferences", ADDRESS, days_ago=31)
    page = site.client.get(old)
    assert (page.status_code, ADDRESS in page.text) == (410, False)
    for path in ("save", "pause", "move", "forget", "revoke"):
        assert site.client.post(f"{old}/{path}", data={"sure": "1"}).status_code == 404
    for _ in range(3):
        assert site.client.post(f"{old}/fresh").headers["location"] == "/sent"
        site.wait_until_idle()
    assert len(site.mails()) == 1
    assert site.client.get(path_in(site.mail(ADDRESS), "p")).status_code == 200


def test_ending_all_links_ends_each_and_goes_on_under_a_new_one(site: Site, settings: str) -> None:
    old = [site.link(what, ADDRESS) for what in ("confirm", "preferences", "unsubscribe")]
    fresh = site.client.post(f"{settings}/revoke").headers["location"]
    assert [site.client.get(link).status_code for link in old] == [404, 404, 404]
    assert site.client.post(old[2]).status_code == 404
    assert site.client.get(fresh).status_code == 200
    assert site.subscriber(ADDRESS).status == "active"


def test_nothing_is_erased_before_the_box_is_ticked(site: Site, settings: str) -> None:
    before = site.rows()
    assert site.client.post(f"{settings}/forget").status_code == 400
    assert site.rows() == before


def test_a_reader_who_is_forgotten_is_in_no_row_of_any_table(site: Site, settings: str) -> None:
    site.server.on_body = lambda message: f"250 2.0.0 queued for {message.rcpt[0]}"
    site.sign_up(ADDRESS)
    site.mail(ADDRESS)
    site.client.post(f"{settings}/move", data={"email": NEXT})
    site.mail(NEXT)
    site.wait_until_idle()
    stored = repr(site.rows())
    assert ADDRESS in stored
    assert NEXT in stored
    assert site.client.post(f"{settings}/forget", data={"sure": "1"}).status_code == 200
    rows = site.rows()
    for trace in (ADDRESS, NEXT, NAME):
        assert trace not in repr(rows)
    assert rows["account_events"] == []
    assert len(rows["forgotten"]) == 1
    assert site.client.get(settings).status_code == 404


def test_the_download_holds_what_is_stored_and_what_was_mailed(site: Site, settings: str) -> None:
    site.client.post(f"{settings}/save", data={"language": "both", "frequency": "daily"})
    site.client.post(f"{settings}/move", data={"email": NEXT})
    site.sign_up(ADDRESS)
    site.mail(ADDRESS)
    site.wait_until_idle()
    answer = site.client.get(f"{settings}/data.json")
    assert answer.headers["content-disposition"].startswith("attachment")
    data, row = answer.json(), site.subscriber(ADDRESS)
    kept = {name: data[name] for name in ("email", "name", "language", "frequency", "status", "new_email")}
    assert kept == {name: getattr(row, name) for name in kept}
    assert [event["what"] for event in data["events"]] == [event["what"] for event in site.events(ADDRESS)]
    assert len(data["mails"]) == 2
    assert {mail["state"] for mail in data["mails"]} == {"sent"}
    without = {"id", "cursor", "handle", "events"}
    assert set(data) - {"mails", "events"} == {column.key for column in row.__table__.columns} - without


def test_an_address_changes_once_the_new_one_is_confirmed_there(site: Site, settings: str) -> None:
    site.client.post(f"{settings}/move", data={"email": NEXT})
    link = path_in(site.mail(NEXT), "m")
    assert site.subscriber(ADDRESS).email == ADDRESS
    assert site.client.post(link).status_code == 200
    assert site.subscriber(NEXT).name == NAME
    assert [site.client.post(old).status_code for old in (link, f"{settings}/save")] == [404, 404]


def test_an_address_that_is_taken_gets_no_mail_and_the_page_does_not_tell(site: Site, settings: str) -> None:
    site.add(NEXT)
    free = site.client.post(f"{settings}/move", data={"email": "free@example.com"})
    site.mail("free@example.com")
    site.wait_until_idle()
    taken = site.client.post(f"{settings}/move", data={"email": NEXT})
    assert (free.status_code, free.headers["location"]) == (taken.status_code, taken.headers["location"])
    site.wait_until_idle()
    assert site.mails(NEXT) == []


def test_a_link_sent_to_one_address_does_not_confirm_another(site: Site, settings: str) -> None:
    site.client.post(f"{settings}/move", data={"email": "own@example.com"})
    link = path_in(site.mail("own@example.com"), "m")
    site.client.post(f"{settings}/move", data={"email": "victim@example.com"})
    assert site.client.post(link).status_code == 404
    assert site.subscriber(ADDRESS).email == ADDRESS
