"""What a sign-up is answered tells nobody who reads: the words, the status and the time are the same."""

import statistics
import time
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from mailings.account_mails import forget
from mailings.context import identity_from
from subscribers.accounts import pause, sign_up, unsubscribe
from subscribers.suppression import suppress
from tests.support.factories import add_subscriber
from tests.support.site import CHOICE, Site

KINDS = ("new", "active", "paused", "pending", "gone", "suppressed", "forgotten")
NEW, ACTIVE, PAUSED, PENDING, MIN_INTERVAL_SECONDS, SUPPRESSED, FORGOTTEN = NAMES = tuple(
    f"{kind}@example.com" for kind in KINDS
)
ROUNDS = 16


@pytest.fixture
def peopled(site: Site) -> Site:
    """A site where addresses stand in every way they can."""
    for kind, address in zip(KINDS, NAMES, strict=True):
        bring_about(site, kind, address)
    return site


def bring_about(site: Site, kind: str, address: str) -> None:
    """Let an address stand as its kind says; of a new one nothing is known."""
    now = site.clock()
    with site.database.sessions.begin() as session:
        if kind == "suppressed":
            suppress(session, address, "returned", now)
        elif kind == "pending":
            sign_up(session, address, language="ko", frequency="weekly", now=now)
        elif kind != "new":
            known = add_subscriber(session, address, now=now)
            session.flush()
            if kind == "paused":
                pause(known, now)
            elif kind == "gone":
                unsubscribe(known, now)
            elif kind == "forgotten":
                forget(session, known, identity_from(site.settings), now)


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
        PAUSED: ["reminder"],
        PENDING: ["confirmation"],
        MIN_INTERVAL_SECONDS: ["confirmation"],
        SUPPRESSED: [],
        FORGOTTEN: ["confirmation"],
    }
    assert len(peopled.mails()) == before + 6


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
    # What comes about by chance does not do so three times; what the code does comes every time.
    found = []
    for attempt in range(3):
        times = _times(sample_site, attempt)
        medians = {kind: statistics.median(taken) for kind, taken in times.items()}
        spread = statistics.median(abs(one - medians[kind]) for kind, taken in times.items() for one in taken)
        apart = max(medians.values()) - min(medians.values())
        if apart < max(2 * spread, 0.25 * min(medians.values())):
            return
        found.append(medians)
    pytest.fail(f"{found}")


def _times(site: Site, attempt: int) -> dict[str, list[float]]:
    """How long sign-ups of each kind of address took, each time with an address that was not tried before."""
    times: dict[str, list[float]] = {kind: [] for kind in (*KINDS, "new again")}
    for number in range(ROUNDS):
        # One after the other in each round, in another order each time: what else the machine does is
        # shared by all. Two kinds of new addresses show how far apart the same thing can seem.
        turn = number % len(times)
        kinds = [*times]
        for kind in kinds[turn:] + kinds[:turn]:
            address = f"{kind.replace(' ', '-')}-{attempt}-{number}@example.com"
            bring_about(site, kind.partition(" ")[0], address)
            site.wait_until_idle()
            begin = time.perf_counter()
            assert site.sign_up(address).status_code == 303
            times[kind].append(time.perf_counter() - begin)
    return times
