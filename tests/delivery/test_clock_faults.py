"""Faults of time: the clock is set, or a sender sleeps longer than its lease while another one takes over."""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from core.bulk_update import open_update_connection
from core.database import Database
from delivery import claim_buffer, outbox, retry, settlement
from delivery.outbox import Lease
from tests.support.factories import NOW
from tests.support.outbox import SLOT, deliveries, plan_mails, recipients, send, send_by_real_clock, states
from tests.support.servers.smtp import ScriptedServer

HOURS = timedelta(hours=5)


class SteppingClock:
    """Shows the same time until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def step_at_mail(self, number: int, step: timedelta) -> Callable[[object], None]:
        """A script of the server that sets the clock at the mail with this number."""
        mails = iter(range(1, 1000))

        def script(_argument: object) -> None:
            if next(mails) == number:
                self.now += step

        return script


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.mark.parametrize("hook", ["on_mail", "on_body"])
@pytest.mark.parametrize("step", [HOURS, -HOURS])
def test_setting_the_clock_during_a_run_delays_and_repeats_no_mail(
    database: Database, clock: SteppingClock, step: timedelta, hook: str
) -> None:
    addresses = plan_mails(database, 5)
    with ScriptedServer(**{hook: clock.step_at_mail(2, step)}) as server:  # type: ignore[arg-type]
        result = send(database, server, now=clock)
    assert recipients(server) == addresses
    assert states(database) == result.states == {"sent": 5}


def test_mails_that_are_early_after_the_clock_was_set_back_are_sent_once_when_due(
    database: Database, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_buffer, "MIN_BATCH", 2)
    addresses = plan_mails(database, 5)
    with ScriptedServer(on_body=clock.step_at_mail(1, -HOURS)) as server:
        result = send(database, server, now=clock)
        assert result.states == {"sent": 2}
        assert states(database) == {"sent": 2, "planned": 3}
        clock.now = NOW
        send(database, server, now=clock)
    assert recipients(server) == addresses
    assert states(database) == {"sent": 5}


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("repeats_uncertain", [True, False])
def test_a_sender_whose_clock_is_ahead_repeats_only_what_the_outbox_says(
    database: Database, clock: SteppingClock, repeats_uncertain: bool
) -> None:
    """By its own clock, the lease of the mail that the other sender is sending is over."""
    addresses = plan_mails(database, 3)
    ahead = SteppingClock()
    ahead.now += HOURS
    in_flight, may_answer = threading.Event(), threading.Event()

    def answer_first_slowly(_message: object) -> None:
        if not in_flight.is_set():
            in_flight.set()
            assert may_answer.wait(60)

    with ScriptedServer(on_body=answer_first_slowly) as server:
        first = threading.Thread(
            target=send, args=(database, server), kwargs={"now": clock, "repeat_uncertain": repeats_uncertain}
        )
        first.start()
        assert in_flight.wait(30)
        send(database, server, now=ahead, repeat_uncertain=repeats_uncertain)
        may_answer.set()
        first.join(30)
    assert states(database) == {"sent": 3}
    assert_repeats_are_recorded(database, server, addresses, repeats_uncertain=repeats_uncertain)


def assert_repeats_are_recorded(
    database: Database, server: ScriptedServer, addresses: list[str], *, repeats_uncertain: bool
) -> None:
    assert [delivery.repeats for delivery in deliveries(database)] == [int(repeats_uncertain), 0, 0]
    assert Counter(recipients(server)) == Counter([*addresses, *addresses[: int(repeats_uncertain)]])


# --- a sender that sleeps -----------------------------------------------------------


def test_a_sender_that_slept_can_neither_mark_nor_settle_mails_of_another_sender(
    database: Database,
) -> None:
    plan_mails(database, 2)
    slept, awake = Lease("slept", NOW + timedelta(seconds=1)), Lease("awake", NOW + HOURS)
    with database.sessions.begin() as session:
        claims = outbox.claim(session, SLOT, slept, now=NOW, repeat_uncertain=True, limit=2)
    with open_update_connection(database.engine) as connection:
        assert asyncio.run(settlement.commit_fast(connection, [], claims[:1], slept))
        later = NOW + timedelta(seconds=2)
        with database.sessions.begin() as session:
            untried = outbox.claim(session, SLOT, awake, now=later, repeat_uncertain=True, limit=2)
            lost = outbox.claim(session, SLOT, awake, now=later, repeat_uncertain=True, limit=2)
            assert [claim.id for claim in (*lost, *untried)] == [claim.id for claim in claims]
        outcomes = [retry.sent(claim, "250 Ok", later) for claim in claims]
        assert not asyncio.run(settlement.commit_fast(connection, outcomes, claims[1:], slept))
    with database.sessions.begin() as session:
        assert settlement.commit_checked(session, outcomes, claims[1:], slept, later) == {}
    assert [(delivery.state, delivery.claimed_by) for delivery in deliveries(database)] == [
        ("claimed", "awake")
    ] * 2


LEASE = timedelta(seconds=1)
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["mailings.digest_run"]
)  # once, because importing it takes longer than anything else


def real_clock() -> datetime:
    return datetime.now(UTC)


class SleepingSender:
    """A sender in a process of its own, which is stopped in the middle of its first mail."""

    def __init__(self) -> None:
        self._has_begun, self._may_continue = threading.Event(), threading.Event()

    def wait_at_first(self, _argument: object) -> None:
        """A script of the server, which does not answer while the first sender sleeps."""
        if not self._has_begun.is_set():
            self._has_begun.set()
            assert self._may_continue.wait(60)

    @contextmanager
    def asleep(
        self, database: Database, server: ScriptedServer, *, repeats_uncertain: bool
    ) -> Iterator[None]:
        """The process is stopped while the context lasts, and then runs to its end."""
        url = database.engine.url.render_as_string(hide_password=False)
        process = PROCESSES.Process(
            target=send_by_real_clock, args=(url, (server.host, server.port), LEASE, repeats_uncertain)
        )
        process.start()
        assert process.pid
        try:
            assert self._has_begun.wait(60)
            os.kill(process.pid, signal.SIGSTOP)
            yield
        finally:
            self._may_continue.set()
            os.kill(process.pid, signal.SIGCONT)
            process.join(60)
            assert process.exitcode == 0


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("repeats_uncertain", [True, False])
@pytest.mark.parametrize("hook", ["on_data", "on_body"])  # before and after the final dot
def test_a_sender_that_wakes_after_its_lease_does_not_touch_what_another_took_over(
    database: Database, hook: str, repeats_uncertain: bool
) -> None:
    addresses = plan_mails(database, 3)
    sleeper = SleepingSender()
    with ScriptedServer(**{hook: sleeper.wait_at_first}) as server:  # type: ignore[arg-type]
        with sleeper.asleep(database, server, repeats_uncertain=repeats_uncertain):
            send(database, server, now=real_clock, lease=LEASE, repeat_uncertain=repeats_uncertain)
            before = states(database)
        assert before == ({"sent": 3} if repeats_uncertain else {"sent": 2, "uncertain": 1})
        assert states(database) == {"sent": 3}  # the sender that woke up knows whether its mail was accepted
        send(database, server, now=real_clock, repeat_uncertain=repeats_uncertain)
    assert_repeats_are_recorded(database, server, addresses, repeats_uncertain=repeats_uncertain)


@pytest.mark.parametrize("new_database_url", ["sqlite"], indirect=True)
def test_on_sqlite_a_second_sender_waits_for_a_sleeping_one(database: Database) -> None:
    addresses = plan_mails(database, 3)
    sleeper, waits = SleepingSender(), threading.Event()
    handler = logging.Handler()
    handler.emit = lambda _record: waits.set()  # type: ignore[method-assign, assignment]
    logging.getLogger("delivery.sender").addHandler(handler)
    with ScriptedServer(on_body=sleeper.wait_at_first) as server:
        second = threading.Thread(target=send, args=(database, server), kwargs={"now": real_clock})
        with sleeper.asleep(database, server, repeats_uncertain=True):
            second.start()
            assert waits.wait(30)
        second.join(30)
    logging.getLogger("delivery.sender").removeHandler(handler)
    assert states(database) == {"sent": 3}
    assert_repeats_are_recorded(database, server, addresses, repeats_uncertain=False)
