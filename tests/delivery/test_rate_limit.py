"""Rate limits: throttled domains, and mails per second. The hourly quota has a file of its own."""

import asyncio
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import update

from core.database import Database
from delivery import claim_buffer, rate_limit
from delivery.context import SendingLimits
from delivery.models import DomainPause
from delivery.rate_limit import (
    INITIAL_INTERVAL_SECONDS,
    MAX_INTERVAL_SECONDS,
    MIN_INTERVAL_SECONDS,
    DomainThrottle,
    throttled_domains,
)
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


def test_a_domain_that_has_recovered_is_not_shown_as_throttled_any_more(database: Database) -> None:
    plan_mails(database, 1, domain="slow.example")
    with database.sessions.begin() as session:
        session.add(DomainPause(domain="slow.example", interval=MIN_INTERVAL_SECONDS, next_at=NOW))
        session.add(DomainPause(domain="slower.example", interval=9.0, next_at=NOW))
    with database.sessions() as session:
        assert throttled_domains(session) == (2, 9.0)
    with ScriptedServer() as server:
        send(database, server)
    with database.sessions() as session:
        assert throttled_domains(session) == (1, 9.0)


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


def test_a_run_does_not_wait_for_hours_for_a_slow_domain_but_leaves_the_rest_to_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 100.0  # of the event loop's clock and of the run's

    async def sleep(wait: float) -> None:
        nonlocal seconds
        seconds += wait
        await asyncio.sleep(0)

    loop = SimpleNamespace(time=lambda: seconds)
    timer = SimpleNamespace(Lock=asyncio.Lock, get_running_loop=lambda: loop, sleep=sleep)
    monkeypatch.setattr(claim_buffer, "asyncio", timer)
    monkeypatch.setattr(claim_buffer, "MAX_POLL_SECONDS", 60.0)
    plan_mails(database, 10, domain="slow.example")
    with database.sessions.begin() as session:
        session.add(DomainPause(domain="slow.example", interval=300.0, next_at=NOW + timedelta(seconds=300)))
    with ScriptedServer() as server:
        result = send(database, server, now=lambda: NOW + timedelta(seconds=seconds))
    assert seconds - 100 <= claim_buffer.MAX_WAIT.total_seconds()
    assert 0 < result.states["sent"] < 10
    assert states(database) == {"sent": result.states["sent"], "planned": 10 - result.states["sent"]}


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
