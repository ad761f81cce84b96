"""The limits on sign-ups per network, per mail domain and in all, and the notice to the operator."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol
from unittest.mock import Mock

import pytest

from core import rate_storage
from core.database import Database
from core.rate_storage import open_rate_storage
from subscribers.signup_limits import LARGER_NETWORKS, SignupLimits, SignupRates
from tests.support.factories import NOW
from tests.support.servers.redis import RedisServer
from tests.support.site import Site, open_site, until


class OpenSite(Protocol):
    """Opens the site with settings."""

    def __call__(self, **settings: Any) -> AbstractContextManager[Site]: ...


@pytest.fixture
def site_with(database: Database, tmp_path: Path) -> OpenSite:
    """A function that opens the site with settings, on a database of each kind."""

    @contextmanager
    def opened(**settings: Any) -> Iterator[Site]:
        with open_site(database, tmp_path, **settings) as site:
            yield site

    return opened


def statuses(site: Site, networks: list[str], domain: str = "example.com") -> list[int]:
    """The statuses of the answers to sign-ups of new addresses, one from each network."""
    return [
        site.sign_up(f"reader{number}@{domain}", network).status_code
        for number, network in enumerate(networks)
    ]


@pytest.mark.parametrize(
    ("same", "other"),
    [
        (["198.51.100.1", "198.51.100.255", "198.51.100.77"], "198.51.101.1"),
        (["2001:db8::1", "2001:db8::ffff:1:2:3", "2001:db8:0:0:9::"], "2001:db8:0:1::1"),
        # A socket for both protocols names an IPv4 visitor by an IPv6 address (RFC 4291, 2.5.5.2).
        (["::ffff:198.51.100.1", "198.51.100.9", "::ffff:198.51.100.7"], "::ffff:203.0.113.1"),
    ],
)
def test_sign_ups_are_counted_by_ipv4_24_and_ipv6_64_networks(
    site_with: OpenSite, same: list[str], other: str
) -> None:
    with site_with(sign_ups_per_network="2 per hour") as site:
        assert statuses(site, same) == [303, 303, 429]
        assert site.sign_up("other@example.com", other).status_code == 303
        site.wait_until_idle()
        assert len(site.mails()) == 3


def test_a_visitor_who_keeps_trying_may_sign_up_again_after_an_hour(
    site_with: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {}
    with site_with(sign_ups_per_network="2 per hour") as site:
        for minute in range(0, 75, 15):
            clock = Mock(return_value=NOW.timestamp() + 60 * minute)
            monkeypatch.setattr(rate_storage, "time", SimpleNamespace(time=clock))
            answers[minute] = site.sign_up(f"reader{minute}@example.com").status_code
    assert answers == {0: 303, 15: 303, 30: 429, 45: 429, 60: 303}


def test_a_forged_forwarded_header_does_not_change_the_network_that_is_counted(
    site_with: OpenSite,
) -> None:
    with site_with(sign_ups_per_network="2 per hour") as site:
        forged = [f"203.0.113.{number}, 198.51.100.7" for number in range(3)]
        spread = [f"{number}.0.113.9, 198.51.100.7" for number in range(1, 4)]
        assert statuses(site, forged) == [303, 303, 429]
        assert statuses(site, spread) == [429, 429, 429]


def test_the_limit_of_a_mail_domain_applies_to_sign_ups_from_all_networks(site_with: OpenSite) -> None:
    networks = [f"198.51.{number}.1" for number in range(3)]
    with site_with(sign_ups_per_domain="2 per hour") as site:
        assert statuses(site, networks, "Example.COM") == [303, 303, 429]
        assert statuses(site, networks[:1], "example.org") == [303]


def test_the_total_limit_notifies_the_operator_once_a_day_and_names_no_subscriber(
    site_with: OpenSite,
) -> None:
    with site_with(sign_ups_in_all="2 per hour", operator="op@paperboy.example") as site:
        networks = [f"198.51.{number}.1" for number in range(5)]
        assert statuses(site, networks) == [303, 303, 429, 429, 429]
        mail = site.mail("op@paperboy.example")
        assert mail["Subject"] == "Paperboy needs you: too many sign-ups"
        notice = mail.get_body(("plain",))
        assert notice
        until(lambda: len(site.mails()) == 3, "two confirmations and the notice")
        site.wait_until_idle()
        assert len(site.mails("op@paperboy.example")) == 1
        assert "PAPERBOY_SIGN_UPS_IN_ALL" in notice.get_content()
        assert "reader" not in notice.get_content()


@pytest.mark.parametrize(
    ("language", "message"), [("ko", "잠시 뒤에 다시"), ("en", "Please try again later")]
)
def test_a_visitor_over_the_limit_is_told_so_in_their_language(
    site_with: OpenSite, language: str, message: str
) -> None:
    with site_with(sign_ups_per_network="1 per hour") as site:
        site.sign_up("a@example.com")
        form = {"email": "b@example.com", "language": "ko", "frequency": "weekly"}
        forwarded = {"X-Forwarded-For": "198.51.100.7"}
        answer = site.client.post(f"/subscribe?lang={language}", data=form, headers=forwarded)
        assert (answer.status_code, message in answer.text) == (429, True)
        answer = site.client.post("/api/subscribers", json=form, headers=forwarded)
        assert (answer.status_code, answer.json()["detail"]) == (429, "too many sign-ups; try again later")


@pytest.mark.parametrize("storage", ["the database", "Redis"])
def test_concurrent_sign_ups_are_all_counted(
    database: Database, storage: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("redis_server").url if storage == "Redis" else ""
    rates = SignupRates("50 per hour", "1000 per hour", "1000 per hour")
    limits = SignupLimits(open_rate_storage(url, database), rates)
    with ThreadPoolExecutor(8) as threads:
        exceeded = list(threads.map(lambda _: limits.hit("198.51.100.0/24", "example.com"), range(120)))
    assert (exceeded.count(""), exceeded.count("network")) == (50, 70)


def test_many_sign_ups_at_once_for_one_address_bring_one_mail_and_one_row(site_with: OpenSite) -> None:
    with site_with() as site:
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: site.sign_up("minji@example.com"), range(60)))
        assert {answer.status_code for answer in answers} == {303}
        site.wait_until_idle()
        assert len(site.mails("minji@example.com")) == 1
        assert [event["what"] for event in site.events("minji@example.com")] == ["signed up"]
        site.clock.ahead = timedelta(days=1, minutes=1)
        site.sign_up("minji@example.com")
        site.mail("minji@example.com", 2)


def test_with_redis_two_applications_count_together_and_not_in_the_database(
    site_with: OpenSite, redis_server: RedisServer
) -> None:
    limits = {"limits_url": redis_server.url, "sign_ups_per_network": "3 per hour"}
    with site_with(**limits) as first, site_with(**limits) as second:
        assert first.database is second.database
        answers = [
            statuses(site, ["198.51.100.7"], domain)
            for site, domain in (
                (first, "a.kr"),
                (second, "b.kr"),
                (first, "c.kr"),
                (second, "d.kr"),
                (first, "e.kr"),
            )
        ]
        assert answers == [[303], [303], [303], [429], [429]]
        assert statuses(second, ["198.51.101.7"], "f.kr") == [303]
        assert any("198.51.100.0" in key for key in redis_server.key_names())
        assert not first.rows()["rate_limit_counts"]


def test_a_flood_from_one_48_network_does_not_keep_a_reader_from_elsewhere_from_signing_up(
    site_with: OpenSite,
) -> None:
    with site_with(sign_ups_per_network="3 per hour", sign_ups_in_all="40 per hour") as site:
        flood = [f"2001:db8:7:{subnet:x}::1" for subnet in range(0, 60 * 256, 256)]
        answers = statuses(site, flood)
        assert answers.count(303) == 3 * LARGER_NETWORKS[48], "each /64 is new, and so is each /56"
        same_56 = [f"2001:db8:8:{subnet:x}::1" for subnet in range(20)]
        assert statuses(site, same_56, "second.example").count(303) == 3 * LARGER_NETWORKS[56]
        assert site.sign_up("reader@elsewhere.example", "2001:db8:9::1").status_code == 303
        assert site.sign_up("other@elsewhere.example", "198.51.100.1").status_code == 303
