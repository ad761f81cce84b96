"""The hourly quota: how many mails all senders together send in an hour."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from core import rate_storage
from core.database import Database
from core.rate_storage import DatabaseStorage
from delivery import claim_buffer
from delivery.context import SendingLimits
from delivery.models import DomainPause
from delivery.rate_limit import (
    HourlyQuota,
)
from tests.support.factories import NOW
from tests.support.outbox import plan_mails, recipients, send, states
from tests.support.servers.smtp import ScriptedServer


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
