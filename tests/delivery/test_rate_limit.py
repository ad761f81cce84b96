"""Rate limits: throttled domains, the hourly quota, and mails per second."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from sqlalchemy import update

from core import rate_storage
from core.database import Database
from core.rate_storage import DatabaseStorage
from delivery import claim_buffer, rate_limit
from delivery.context import SendingLimits
from delivery.models import DomainPause
from delivery.rate_limit import INITIAL_INTERVAL_SECONDS, MAX_INTERVAL_SECONDS, DomainThrottle, HourlyQuota
from delivery.transport.smtp.replies import Phase, SmtpError
from tests.support.factories import NOW
from tests.support.outbox import deliveries, plan_mails, recipients, send, states
from tests.support.servers.smtp import ScriptedServer, in_order

SLOW, OTHER = "minji@slow.example", "minji@other.example"
HOUR = timedelta(hours=1)


def interval(throttle: DomainThrottle, address: str, now: datetime = NOW) -> float:
    """The number of seconds between a mail that goes now and the next one."""
    assert throttle.next_allowed(address, now + HOUR) is None
    throttle.reserve(address, now + HOUR)
    following = throttle.next_allowed(address, now + HOUR)
    return (following - now - HOUR).total_seconds() if following else 0.0


@pytest.fixture
def throttle() -> DomainThrottle:
    return DomainThrottle()


# --- throttled domains --------------------------------------------------------------


@pytest.mark.parametrize(("code", "phase"), [(421, "rcpt"), (450, "rcpt"), (451, "ack"), (452, "ack")])
def test_a_domain_that_says_later_is_throttled_more_each_time_and_no_other_is(
    throttle: DomainThrottle, code: int, phase: Phase
) -> None:
    found = []
    for _ in range(12):
        assert SmtpError(phase, code, "4.7.0 Slow down").is_busy
        throttle.on_busy(SLOW, NOW)
        found.append(interval(throttle, SLOW))
    assert found[:4] == [INITIAL_INTERVAL_SECONDS * 2**times for times in range(4)]
    assert found[-1] == MAX_INTERVAL_SECONDS
    assert throttle.next_allowed(OTHER, NOW) is None


@pytest.mark.parametrize(
    "hook_and_reply", [("on_rcpt", "550 5.1.1 No such user"), ("on_mail", "451 4.3.0 Busy")]
)
def test_no_domain_is_throttled_for_a_dead_address_or_for_our_own_server(
    database: Database, hook_and_reply: tuple[str, str]
) -> None:
    hook, reply = hook_and_reply
    plan_mails(database, 1, domain="slow.example")
    with ScriptedServer(**{hook: reply}) as server:  # type: ignore[arg-type]
        send(database, server)
    with database.sessions() as session:
        assert session.get(DomainPause, "slow.example") is None


def test_a_domain_recovers_with_every_accepted_mail(throttle: DomainThrottle) -> None:
    for _ in range(4):
        throttle.on_busy(SLOW, NOW)
    found = [interval(throttle, SLOW)]
    while found[-1]:
        throttle.on_accepted(SLOW)
        found.append(interval(throttle, SLOW, NOW + len(found) * HOUR))
        assert len(found) < 100
    assert found == sorted(found, reverse=True)


def test_a_clock_set_back_by_hours_does_not_delay_a_domain_for_hours(throttle: DomainThrottle) -> None:
    throttle.on_busy(SLOW, NOW)
    assert throttle.next_allowed(SLOW, NOW - 5 * HOUR) is None


def test_a_throttled_domain_gets_one_mail_per_interval_even_after_a_restart(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_buffer, "MAX_WAIT", timedelta(0))  # a run ends instead of waiting
    plan_mails(database, 4, domain="slow.example")
    sent = []
    with ScriptedServer(on_rcpt=in_order("451 4.7.1 Too many mails")) as server:
        for seconds in (0, 0.5, 1.5, 1.6, 3):
            assert send(database, server, now=NOW + timedelta(seconds=seconds)).stopped == ""
            sent.append(len(server.messages))
    assert sent == [0, 0, 1, 1, 2]
    assert states(database) == {"sent": 2, "planned": 1, "deferred": 1}
    with database.sessions() as session:
        assert session.get_one(DomainPause, "slow.example").interval < INITIAL_INTERVAL_SECONDS


def test_a_throttled_domain_delays_no_mail_to_another(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_buffer, "MAX_WAIT", timedelta(0))
    plan_mails(database, 5)
    with database.sessions.begin() as session:
        session.add(DomainPause(domain="example2.com", interval=300.0, next_at=NOW + timedelta(seconds=200)))
    with ScriptedServer() as server:
        send(database, server)
    assert recipients(server) == [f"reader{number}@example{number}.com" for number in (0, 1, 3, 4)]
    assert deliveries(database)[2].state == "planned"


def test_a_mail_that_waits_for_its_domain_keeps_the_last_reply(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_buffer, "MAX_WAIT", timedelta(0))
    plan_mails(database, 1, domain="slow.example")
    with ScriptedServer(on_rcpt="451 4.7.1 Too many mails") as server:
        send(database, server)
        with database.sessions.begin() as session:
            session.execute(update(DomainPause).values(next_at=NOW + 2 * HOUR, interval=300.0))
        send(database, server, now=NOW + 2 * HOUR - timedelta(minutes=1))
    (delivery,) = deliveries(database)
    assert (delivery.state, delivery.reply) == ("planned", "rcpt: 451 4.7.1 Too many mails")


# --- the hourly quota ---------------------------------------------------------------


def begin_next_hour_when(monkeypatch: pytest.MonkeyPatch, is_over: Callable[[], bool]) -> None:
    """Set the clock of the quota one hour forward, once, when the quota is used up and the hour `is_over`."""
    hours = [NOW.timestamp(), NOW.timestamp() + 3601]
    monkeypatch.setattr(rate_storage, "time", SimpleNamespace(time=lambda: hours[0]))
    monkeypatch.setattr(claim_buffer, "MIN_POLL_SECONDS", 0.01)
    reserve, lock = HourlyQuota.reserve, threading.Lock()

    def reserve_and_check(quota: HourlyQuota, wanted: int) -> int:
        mails = reserve(quota, wanted)
        with lock:
            if not mails and len(hours) > 1 and is_over():
                hours.pop(0)
        return mails

    monkeypatch.setattr(HourlyQuota, "reserve", reserve_and_check)


def test_all_senders_together_stay_within_the_hourly_quota(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = plan_mails(database, 10)
    in_first_hour: Counter[str] = Counter()

    def is_over() -> bool:
        """Whether every claimed mail has been sent."""
        in_first_hour.clear()
        in_first_hour.update(states(database))
        return set(in_first_hour) == {"sent", "planned"}

    begin_next_hour_when(monkeypatch, is_over)
    with ScriptedServer() as server:
        limits = {"limits": SendingLimits(connections=2, per_hour=6)}
        senders = [threading.Thread(target=send, args=(database, server), kwargs=limits) for _ in range(2)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(60)
    assert in_first_hour == {"sent": 6, "planned": 4}
    assert sorted(recipients(server)) == sorted(addresses)
    assert states(database) == {"sent": 10}


def test_senders_that_reserve_at_the_same_time_share_the_quota(database: Database) -> None:
    quota = HourlyQuota(DatabaseStorage(database), per_hour=20)
    with ThreadPoolExecutor(4) as senders:
        reserved = sum(senders.map(quota.reserve, [3] * 12))
    assert reserved <= 20
    assert reserved + quota.reserve(200) == 20
    quota.give_back(4)
    assert quota.reserve(200) == 4


def test_a_mail_that_only_waited_for_its_domain_uses_no_quota(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_buffer, "MAX_WAIT", timedelta(0))
    plan_mails(database, 5, domain="slow.example")
    with database.sessions.begin() as session:
        session.add(DomainPause(domain="slow.example", interval=300.0, next_at=NOW + timedelta(seconds=200)))
    with ScriptedServer() as server:
        send(database, server, limits=SendingLimits(per_hour=6))
    assert states(database) == {"planned": 5}
    assert HourlyQuota(DatabaseStorage(database), per_hour=6).reserve(200) == 6


def test_the_hour_of_the_quota_ends_however_often_senders_ask_within_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = HourlyQuota(DatabaseStorage(database), per_hour=10)
    allowed = {}
    for minute in range(0, 200, 20):
        clock = Mock(return_value=NOW.timestamp() + 60 * minute)
        monkeypatch.setattr(rate_storage, "time", SimpleNamespace(time=clock))
        allowed[minute] = quota.reserve(6)
    assert allowed == {0: 6, 20: 4, 40: 0, 60: 6, 80: 4, 100: 0, 120: 6, 140: 4, 160: 0, 180: 6}


def test_quota_that_is_given_back_late_does_not_enlarge_the_next_hour(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = HourlyQuota(DatabaseStorage(database), per_hour=10)
    assert quota.reserve(8) == 8
    monkeypatch.setattr(rate_storage, "time", SimpleNamespace(time=lambda: time.time() + 3601))
    quota.give_back(5)
    assert quota.reserve(200) == 10


def test_a_run_with_nothing_left_does_not_wait_for_the_next_hour(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_buffer, "MIN_POLL_SECONDS", 0.01)
    plan_mails(database, 3)
    with ScriptedServer() as server:
        for _ in range(2):
            assert send(database, server, limits=SendingLimits(per_hour=3)).stopped == ""
    assert states(database) == {"sent": 3}


def test_mails_that_reached_no_server_use_no_quota(database: Database) -> None:
    plan_mails(database, 5)
    with ScriptedServer(on_connect="554 5.3.2 Closed") as server:
        assert send(database, server, limits=SendingLimits(connections=2, per_hour=20)).stopped
    assert HourlyQuota(DatabaseStorage(database), per_hour=20).reserve(200) == 20


# --- mails per second ---------------------------------------------------------------


def test_no_more_mails_are_sent_per_second_than_allowed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 100.0  # of the event loop's clock

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
