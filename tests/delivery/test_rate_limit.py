"""How fast mails go out: a domain that asks for it gets fewer, an hour has its quota, a second its mails."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import update

from core.database import Database
from core.rate_storage import DatabaseStorage
from delivery import claim_buffer, rate_limit
from delivery.models import DomainPause
from delivery.rate_limit import (
    INITIAL_INTERVAL_SECONDS,
    MAX_INTERVAL_SECONDS,
    DomainThrottle,
    HourlyQuota,
    SendingLimits,
)
from delivery.transport.smtp.replies import Phase, SmtpError
from subscribers import signup_limits
from tests.support.factories import NOW
from tests.support.outbox import deliveries, plan_mails, recipients, send, states
from tests.support.servers.smtp import ScriptedServer, in_turn

SLOW, OTHER = "minji@slow.example", "minji@other.example"
LATER = SmtpError("rcpt", 451, "4.7.1 Too many mails")
HOUR = timedelta(hours=1)


def interval(domains: DomainThrottle, address: str, now: datetime = NOW) -> float:
    """Seconds from one mail to the next; the mail of now takes its turn."""
    next_allowed = domains.next_allowed(address, now + HOUR)
    assert next_allowed is None
    domains.reserve(address, now + HOUR)
    following = domains.next_allowed(address, now + HOUR)
    return (following - now - HOUR).total_seconds() if following else 0.0


@pytest.fixture
def domains() -> DomainThrottle:
    return DomainThrottle()


# --- a domain that asks for it ------------------------------------------------------


@pytest.mark.parametrize(("code", "phase"), [(421, "rcpt"), (450, "rcpt"), (451, "ack"), (452, "ack")])
def test_a_domain_that_says_later_is_sent_to_more_slowly_each_time_and_no_other_is(
    domains: DomainThrottle, code: int, phase: Phase
) -> None:
    found = []
    for _ in range(12):
        domains.refused(SLOW, SmtpError(phase, code, "4.7.0 Slow down"), NOW)
        found.append(interval(domains, SLOW))
    assert found[:4] == [INITIAL_INTERVAL_SECONDS * 2**times for times in range(4)]
    assert found[-1] == MAX_INTERVAL_SECONDS
    assert domains.next_allowed(OTHER, NOW) is None


@pytest.mark.parametrize(
    "refusal", [SmtpError("rcpt", 550, "5.1.1 No such user"), SmtpError("mail", 451, "4.3.0 Busy")]
)
def test_no_domain_is_slowed_down_for_a_dead_address_or_our_own_server(
    domains: DomainThrottle, refusal: SmtpError
) -> None:
    domains.refused(SLOW, refusal, NOW)
    assert interval(domains, SLOW) == 0


def test_a_domain_recovers_with_the_mails_that_it_takes(domains: DomainThrottle) -> None:
    for _ in range(4):
        domains.refused(SLOW, LATER, NOW)
    found = [interval(domains, SLOW)]
    while found[-1]:
        domains.taken(SLOW)
        found.append(interval(domains, SLOW, NOW + len(found) * HOUR))
        assert len(found) < 100
    assert found == sorted(found, reverse=True)


def test_a_clock_set_back_by_hours_does_not_hold_a_domain_up_for_hours(domains: DomainThrottle) -> None:
    domains.refused(SLOW, LATER, NOW)
    assert domains.next_allowed(SLOW, NOW - 5 * HOUR) is None


def test_a_slow_domain_gets_one_mail_in_its_interval_also_after_a_restart(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        claim_buffer, "MOST_WAIT", timedelta(0)
    )  # a run ends where it would wait for the turn
    plan_mails(database, 4, domain="slow.example")
    sent = []
    with ScriptedServer(on_rcpt=in_turn("451 4.7.1 Too many mails")) as server:
        for seconds in (0, 0.5, 1.5, 1.6, 3):
            assert send(database, server, now=NOW + timedelta(seconds=seconds)).stopped == ""
            sent.append(len(server.messages))
    assert sent == [0, 0, 1, 1, 2]
    assert states(database) == {"sent": 2, "planned": 1, "deferred": 1}
    with database.sessions() as session:
        assert session.get_one(DomainPause, "slow.example").interval < INITIAL_INTERVAL_SECONDS


def test_a_slow_domain_holds_up_no_mail_to_another(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_buffer, "MOST_WAIT", timedelta(0))
    plan_mails(database, 5)
    with database.sessions.begin() as session:
        session.add(DomainPause(domain="example2.com", interval=300.0, next_at=NOW + timedelta(seconds=200)))
    with ScriptedServer() as server:
        send(database, server)
    assert recipients(server) == [f"reader{number}@example{number}.com" for number in (0, 1, 3, 4)]
    assert deliveries(database)[2].state == "planned"


def test_a_mail_that_waits_for_its_domain_keeps_what_the_server_said_last(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_buffer, "MOST_WAIT", timedelta(0))
    plan_mails(database, 1, domain="slow.example")
    with ScriptedServer(on_rcpt="451 4.7.1 Too many mails") as server:
        send(database, server)
        with database.sessions.begin() as session:
            session.execute(update(DomainPause).values(next_at=NOW + 2 * HOUR, interval=300.0))
        next_allowed = NOW + 2 * HOUR - timedelta(minutes=1)
        send(database, server, now=next_allowed)
    (delivery,) = deliveries(database)
    assert (delivery.state, delivery.reply) == ("planned", "rcpt: 451 4.7.1 Too many mails")


# --- an hour ------------------------------------------------------------------------


def count_hours(monkeypatch: pytest.MonkeyPatch, is_over: Callable[[], bool]) -> None:
    """Set the clock of the quota an hour on, once, when a sender finds the hour used up and it `is_over`."""
    hours = [NOW.timestamp(), NOW.timestamp() + 3601]
    monkeypatch.setattr(signup_limits, "time", SimpleNamespace(time=lambda: hours[0]))
    monkeypatch.setattr(claim_buffer, "LOOK_AGAIN", 0.01)
    take, one_at_a_time = HourlyQuota.take, threading.Lock()

    def take_and_see(quota: HourlyQuota, most: int) -> int:
        mails = take(quota, most)
        with one_at_a_time:
            if not mails and len(hours) > 1 and is_over():
                hours.pop(0)
        return mails

    monkeypatch.setattr(HourlyQuota, "take", take_and_see)


def test_all_senders_together_send_no_more_in_an_hour_than_its_quota_and_the_rest_in_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = plan_mails(database, 10)
    in_first_hour: Counter[str] = Counter()

    def is_over() -> bool:
        """Whether nothing that was claimed is still on its way."""
        in_first_hour.clear()
        in_first_hour.update(states(database))
        return set(in_first_hour) == {"sent", "planned"}

    count_hours(monkeypatch, is_over)
    with ScriptedServer() as server:
        limits = {"speed": SendingLimits(connections=2, per_hour=6)}
        senders = [threading.Thread(target=send, args=(database, server), kwargs=limits) for _ in range(2)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(60)
    assert in_first_hour == {"sent": 6, "planned": 4}
    assert sorted(recipients(server)) == sorted(addresses)
    assert states(database) == {"sent": 10}


def test_senders_that_ask_for_the_quota_at_once_share_it(database: Database) -> None:
    quota = HourlyQuota(DatabaseStorage(database), per_hour=20)
    with ThreadPoolExecutor(4) as senders:
        taken = sum(senders.map(quota.take, [3] * 12))
    assert taken <= 20
    assert taken + quota.take(200) == 20
    quota.give_back(4)
    assert quota.take(200) == 4


def test_a_mail_that_only_waited_for_its_domain_uses_up_no_quota(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_buffer, "MOST_WAIT", timedelta(0))
    plan_mails(database, 5, domain="slow.example")
    with database.sessions.begin() as session:
        session.add(DomainPause(domain="slow.example", interval=300.0, next_at=NOW + timedelta(seconds=200)))
    with ScriptedServer() as server:
        send(database, server, limits=SendingLimits(per_hour=6))
    assert states(database) == {"planned": 5}
    assert HourlyQuota(DatabaseStorage(database), per_hour=6).take(200) == 6


def test_what_is_given_back_after_the_hour_does_not_enlarge_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = HourlyQuota(DatabaseStorage(database), per_hour=10)
    assert quota.take(8) == 8
    monkeypatch.setattr(signup_limits, "time", SimpleNamespace(time=lambda: time.time() + 3601))
    quota.give_back(5)
    assert quota.take(200) == 10


def test_a_run_with_nothing_to_send_does_not_wait_for_the_next_hour(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_buffer, "LOOK_AGAIN", 0.01)
    plan_mails(database, 3)
    with ScriptedServer() as server:
        for _ in range(2):
            assert send(database, server, limits=SendingLimits(per_hour=3)).stopped == ""
    assert states(database) == {"sent": 3}


def test_mails_that_no_server_was_there_for_use_up_no_quota(database: Database) -> None:
    plan_mails(database, 5)
    with ScriptedServer(on_connect="554 5.3.2 Closed") as server:
        assert send(database, server, limits=SendingLimits(connections=2, per_hour=20)).stopped
    assert HourlyQuota(DatabaseStorage(database), per_hour=20).take(200) == 20


# --- a second -----------------------------------------------------------------------


def test_no_more_mails_go_out_in_a_second_than_are_allowed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 100.0

    async def sleep(wait: float) -> None:
        nonlocal seconds
        seconds += wait

    timer = SimpleNamespace(get_running_loop=lambda: SimpleNamespace(time=lambda: seconds), sleep=sleep)
    monkeypatch.setattr(rate_limit, "asyncio", timer)
    plan_mails(database, 9)
    arrived: list[float] = []
    with ScriptedServer(on_mail=lambda _: arrived.append(seconds)) as server:
        send(database, server, limits=SendingLimits(connections=1, per_second=4))
    assert arrived == [100 + number / 4 for number in range(9)]
