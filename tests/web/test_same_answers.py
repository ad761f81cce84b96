"""The answer to a sign-up does not reveal who is subscribed: its text and status are always the same, and so is the work."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine, event

from core.frequencies import Frequency
from core.languages import Language
from mailings.account_mails import forget
from mailings.context import identity_from
from subscribers.accounts import pause, sign_up, unsubscribe
from subscribers.suppression import suppress
from tests.support.factories import add_subscriber
from tests.support.site import CHOICE, Site

KINDS = ("new", "active", "paused", "pending", "gone", "suppressed", "forgotten")
NEW, ACTIVE, PAUSED, PENDING, GONE, SUPPRESSED, FORGOTTEN = NAMES = tuple(
    f"{kind}@example.com" for kind in KINDS
)


@pytest.fixture
def populated_site(site: Site) -> Site:
    """A site with an address in every state."""
    for kind, address in zip(KINDS, NAMES, strict=True):
        prepare_address(site, kind, address)
    return site


def prepare_address(site: Site, kind: str, address: str) -> None:
    """Put an address into the state that its kind names. Nothing is stored about a new one."""
    now = site.clock()
    with site.database.sessions.begin() as session:
        if kind == "suppressed":
            suppress(session, address, "returned", now)
        elif kind == "pending":
            sign_up(session, address, language=Language.KO, frequency=Frequency.WEEKLY, now=now)
        elif kind != "new":
            subscriber = add_subscriber(session, address, now=now)
            session.flush()
            if kind == "paused":
                pause(subscriber, now)
            elif kind == "gone":
                unsubscribe(subscriber, now)
            elif kind == "forgotten":
                forget(session, subscriber, identity_from(site.settings), now)


def sign_up_by_form(site: Site, address: str) -> httpx.Response:
    return site.sign_up(address)


def sign_up_by_json(site: Site, address: str) -> httpx.Response:
    return site.client.post("/api/subscribers", json={"email": address, **CHOICE})


def ask_for_settings(site: Site, address: str) -> httpx.Response:
    return site.client.post("/settings-link", data={"email": address})


def ask_for_an_issue(site: Site, address: str) -> httpx.Response:
    return site.client.post("/archive/9655/copy", data={"email": address})


WAYS = [sign_up_by_form, sign_up_by_json, ask_for_settings, ask_for_an_issue]


@pytest.mark.parametrize("send_sign_up", WAYS)
def test_the_answer_is_the_same_whoever_has_the_address(
    populated_site: Site, send_sign_up: Callable[[Site, str], httpx.Response]
) -> None:
    answers = set()
    for address in NAMES:
        answer = send_sign_up(populated_site, address)
        headers = {name: value for name, value in answer.headers.items() if name != "date"}
        answers.add((answer.status_code, answer.text, tuple(sorted(headers.items()))))
    assert len(answers) == 1


def test_only_the_owner_of_an_address_learns_its_state_by_mail(populated_site: Site) -> None:
    before = len(populated_site.mails())
    for address in NAMES:
        populated_site.sign_up(address)
    populated_site.wait_until_idle()
    received = {
        address: [mail["Feedback-ID"].partition("-")[0] for mail in populated_site.mails(address)]
        for address in NAMES
    }
    assert received == {
        NEW: ["confirmation"],
        ACTIVE: ["reminder"],
        PAUSED: ["reminder"],
        PENDING: ["confirmation"],
        GONE: ["confirmation"],
        SUPPRESSED: [],
        FORGOTTEN: ["confirmation"],
    }
    assert len(populated_site.mails()) == before + 6


def test_a_known_address_is_reminded_once_a_day_and_keeps_its_choices(populated_site: Site) -> None:
    before = populated_site.subscriber(ACTIVE)
    for _ in range(3):
        populated_site.sign_up(ACTIVE, language="en", frequency="daily")
        populated_site.wait_until_idle()
    assert len(populated_site.mails(ACTIVE)) == 1
    populated_site.clock.ahead = timedelta(days=1, minutes=1)
    populated_site.sign_up(ACTIVE, language="en")
    populated_site.mail(ACTIVE, 2)
    after = populated_site.subscriber(ACTIVE)
    assert (after.language, after.frequency, after.status) == (before.language, before.frequency, "active")


@contextmanager
def statements_of_answers() -> Iterator[list[str]]:
    """The statements with which the pages ask or change the database to answer requests, as they come.

    The mails that follow are made by a worker, whose statements no visitor waits for.
    """
    statements: list[str] = []

    def record(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not threading.current_thread().name.startswith(("worker for", "MainThread")):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", record)


@pytest.mark.parametrize("send_sign_up", WAYS)
def test_an_answer_takes_the_same_work_whoever_has_the_address(
    populated_site: Site, send_sign_up: Callable[[Site, str], httpx.Response]
) -> None:
    """Nothing but the database knows who has an address. An answer that asks it for nothing else takes as long for
    one address as for another."""
    send_sign_up(populated_site, "first@example.com")  # it also builds what all later answers share
    work = {}
    for address in NAMES:
        with statements_of_answers() as statements:
            send_sign_up(populated_site, address)
        work[address] = statements
    assert [statement.split()[2] for statement in work[NEW]] == [
        *["rate_limit_counts"] * 3,
        "signup_requests",
    ]
    assert {address: statements == work[NEW] for address, statements in work.items()} == dict.fromkeys(
        NAMES, True
    )
