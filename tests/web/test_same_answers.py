"""What a sign-up is answered tells nobody who reads: the words, the status and the time are the same."""

import statistics
import time
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from site_at_work import CHOICE, Site

from emails.correspondence import forget
from emails.office import house_of
from subscribers.accounts import sign_up, suppress

NEW, ACTIVE, PENDING, GONE, SUPPRESSED, FORGOTTEN = NAMES = tuple(
    f"{name}@example.com" for name in ("new", "active", "pending", "gone", "suppressed", "forgotten")
)
ROUNDS = 28


@pytest.fixture
def peopled(site: Site) -> Site:
    """A site where addresses stand in every way they can."""
    for address in (ACTIVE, GONE, FORGOTTEN):
        site.add(address)
    with site.database.sessions.begin() as session:
        sign_up(session, PENDING, language="ko", frequency="weekly", now=site.clock())
        suppress(session, SUPPRESSED, "returned", site.clock())
    with site.database.sessions.begin() as session:
        forget(session, session.merge(site.known(FORGOTTEN)), house_of(site.settings), site.clock())
    site.client.post(site.link("unsubscribe", GONE))
    site.settle()
    return site


def by_form(site: Site, address: str) -> httpx.Response:
    return site.sign_up(address)


def by_json(site: Site, address: str) -> httpx.Response:
    return site.client.post("/api/subscribers", json={"email": address, **CHOICE})


@pytest.mark.parametrize("sign_up_by", [by_form, by_json])
def test_the_answer_is_the_same_whoever_has_the_address(
    peopled: Site, sign_up_by: Callable[[Site, str], httpx.Response]
) -> None:
    answers = set()
    for address in NAMES:
        answer = sign_up_by(peopled, address)
        headers = {name: value for name, value in answer.headers.items() if name != "date"}
        answers.add((answer.status_code, answer.text, tuple(sorted(headers.items()))))
    assert len(answers) == 1


def test_only_the_owner_of_an_address_learns_by_mail_what_it_stands_for(peopled: Site) -> None:
    before = len(peopled.mails())
    for address in NAMES:
        peopled.sign_up(address)
    peopled.settle()
    got = {
        address: [mail["Feedback-ID"].partition(":")[0] for mail in peopled.mails(address)]
        for address in NAMES
    }
    assert got == {
        NEW: ["confirmation"],
        ACTIVE: ["reminder"],
        PENDING: ["confirmation"],
        GONE: ["farewell", "confirmation"],
        SUPPRESSED: [],
        FORGOTTEN: ["confirmation"],
    }
    assert len(peopled.mails()) == before + 5


def test_a_known_address_is_reminded_once_a_day_and_stays_as_it_is(peopled: Site) -> None:
    before = peopled.known(ACTIVE)
    for _ in range(3):
        peopled.sign_up(ACTIVE, language="en", frequency="daily")
        peopled.settle()
    assert len(peopled.mails(ACTIVE)) == 1
    peopled.clock.ahead = timedelta(days=1, minutes=1)
    peopled.sign_up(ACTIVE, language="en")
    peopled.mail(ACTIVE, 2)
    after = peopled.known(ACTIVE)
    assert (after.language, after.frequency, after.status) == (before.language, before.frequency, "active")


def test_the_time_of_an_answer_does_not_tell_who_has_the_address(sample_site: Site) -> None:
    site = sample_site
    site.add(ACTIVE)
    with site.database.sessions.begin() as session:
        suppress(session, SUPPRESSED, "returned", site.clock())
    times: dict[str, list[float]] = {"new": [], "again new": [], ACTIVE: [], SUPPRESSED: []}
    for number in range(ROUNDS):
        # One after the other in each round, in another order each time: what else the machine does is
        # shared by all. Two kinds of new addresses show how far apart the same thing can seem.
        names = list(times)
        for name in names[number % 4 :] + names[: number % 4]:
            address = name if "@" in name else f"{name.replace(' ', '-')}-{number}@example.com"
            site.settle()
            begin = time.perf_counter()
            site.sign_up(address)
            times[name].append(time.perf_counter() - begin)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    spread = statistics.median(abs(one - medians[name]) for name, taken in times.items() for one in taken)
    apart = max(medians.values()) - min(medians.values())
    assert apart < max(2 * spread, 0.25 * min(medians.values())), medians
