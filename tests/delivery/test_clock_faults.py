"""The fault catalogue of time: the clock steps, a sender sleeps past its lease, and another one takes over."""

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
from tests.support.outbox import SLOT, deliveries, plan_mails, recipients, send, states
from tests.support.servers.smtp import ScriptedServer

HOURS = timedelta(hours=5)


class SteppingClock:
    """Stands at a time until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def step_at_mail(self, number: int, step: timedelta) -> Callable[[object], None]:
        """A script of the server at whose mail of that number the clock is set."""
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
def test_a_clock_that_is_set_in_mid_run_makes_no_mail_late_or_twice(
    database: Database, clock: SteppingClock, step: timedelta, hook: str
) -> None:
    addresses = plan_mails(database, 5)
    with ScriptedServer(**{hook: clock.step_at_mail(2, step)}) as server:  # type: ignore[arg-type]
        result = send(database, server, now=clock)
    assert recipients(server) == addresses
    assert states(database) == result.states == {"sent": 5}


def test_mails_that_a_clock_set_back_makes_early_wait_for_their_time_and_go_out_once(
    database: Database, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_buffer, "BATCH", 2)
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
@pytest.mark.parametrize("repeats", [True, False])
def test_a_sender_whose_clock_is_hours_ahead_makes_nothing_twice_that_the_ledger_does_not_say(
    database: Database, clock: SteppingClock, repeats: bool
) -> None:
    """It takes the mail in flight for lost, and is right about nothing but that its own clock says so."""
    addresses = plan_mails(database, 3)
    ahead = SteppingClock()
    ahead.now += HOURS
    in_flight, answer = threading.Event(), threading.Event()

    def slowly_at_first(_message: object) -> None:
        if not in_flight.is_set():
            in_flight.set()
            assert answer.wait(60)

    with ScriptedServer(on_body=slowly_at_first) as server:
        first = threading.Thread(
            target=send, args=(database, server), kwargs={"now": clock, "repeat_uncertain": repeats}
        )
        first.start()
        assert in_flight.wait(30)
        send(database, server, now=ahead, repeat_uncertain=repeats)
        answer.set()
        first.join(30)
    assert states(database) == {"sent": 3}
    assert_twice_only_as_the_ledger_says(database, server, addresses, repeats=repeats)


def assert_twice_only_as_the_ledger_says(
    database: Database, server: ScriptedServer, addresses: list[str], *, repeats: bool
) -> None:
    assert [delivery.repeats for delivery in deliveries(database)] == [int(repeats), 0, 0]
    assert Counter(recipients(server)) == Counter([*addresses, *addresses[: int(repeats)]])


# --- a sender that sleeps -----------------------------------------------------------


def test_what_another_sender_holds_by_now_can_be_neither_announced_nor_settled_by_the_one_that_slept(
    database: Database,
) -> None:
    plan_mails(database, 2)
    slept, awake = Lease("slept", NOW + timedelta(seconds=1)), Lease("awake", NOW + HOURS)
    with database.sessions.begin() as session:
        claims = outbox.claim(session, SLOT, slept, now=NOW, repeat_uncertain=True, limit=2)
    with open_update_connection(database.engine) as connection:
        assert settlement.commit_fast(connection, [], claims[:1], slept)
        next_allowed = NOW + timedelta(seconds=2)
        with database.sessions.begin() as session:
            untried = outbox.claim(session, SLOT, awake, now=next_allowed, repeat_uncertain=True, limit=2)
            lost = outbox.claim(session, SLOT, awake, now=next_allowed, repeat_uncertain=True, limit=2)
            assert [claim.id for claim in (*lost, *untried)] == [claim.id for claim in claims]
        done = [retry.sent(claim, "250 Ok", next_allowed) for claim in claims]
        assert not settlement.commit_fast(connection, done, claims[1:], slept)
    with database.sessions.begin() as session:
        assert settlement.commit_checked(session, done, claims[1:], slept, next_allowed) == {}
    assert [(delivery.state, delivery.claim) for delivery in deliveries(database)] == [
        ("claimed", "awake")
    ] * 2


LEASE = timedelta(seconds=1)
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["mailings.digest_run"])  # once: to import it takes longer than all else


def real_clock() -> datetime:
    return datetime.now(UTC)


class Sleeper:
    """A sender of its own process, which falls asleep in the middle of its first mail."""

    def __init__(self) -> None:
        self._is_there, self._goes_on = threading.Event(), threading.Event()

    def wait_at_first(self, _argument: object) -> None:
        """A script of the server: it is silent while the first sender sleeps."""
        if not self._is_there.is_set():
            self._is_there.set()
            assert self._goes_on.wait(60)

    @contextmanager
    def asleep(self, database: Database, server: ScriptedServer, *, repeats: bool) -> Iterator[None]:
        """The process is stopped as long as this lasts; then it runs to its end."""
        url = database.engine.url.render_as_string(hide_password=False)
        process = PROCESSES.Process(
            target=send_by_address, args=(url, (server.host, server.port), LEASE, repeats)
        )
        process.start()
        assert process.pid
        try:
            assert self._is_there.wait(60)
            os.kill(process.pid, signal.SIGSTOP)
            yield
        finally:
            self._goes_on.set()
            os.kill(process.pid, signal.SIGCONT)
            process.join(60)
            assert process.exitcode == 0


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("hook", ["on_data", "on_body"])  # before and after the final dot
def test_a_sender_that_wakes_after_its_lease_neither_sends_nor_settles_what_another_took_over(
    database: Database, hook: str, repeats: bool
) -> None:
    addresses = plan_mails(database, 3)
    sleeper = Sleeper()
    with ScriptedServer(**{hook: sleeper.wait_at_first}) as server:  # type: ignore[arg-type]
        with sleeper.asleep(database, server, repeats=repeats):
            send(database, server, now=real_clock, lease=LEASE, repeat_uncertain=repeats)
            before = states(database)
        assert before == ({"sent": 3} if repeats else {"sent": 2, "uncertain": 1})
        assert states(database) == {"sent": 3}  # whoever was asleep knows what became of its mail
        send(database, server, now=real_clock, repeat_uncertain=repeats)
    assert_twice_only_as_the_ledger_says(database, server, addresses, repeats=repeats)


@pytest.mark.parametrize("new_database_url", ["sqlite"], indirect=True)
def test_on_sqlite_a_sender_asleep_is_waited_for_and_nothing_is_sent_twice(database: Database) -> None:
    addresses = plan_mails(database, 3)
    sleeper, waits = Sleeper(), threading.Event()
    handler = logging.Handler()
    handler.emit = lambda _record: waits.set()  # type: ignore[method-assign, assignment]
    logging.getLogger("delivery.sender").addHandler(handler)
    with ScriptedServer(on_body=sleeper.wait_at_first) as server:
        second = threading.Thread(target=send, args=(database, server), kwargs={"now": real_clock})
        with sleeper.asleep(database, server, repeats=True):
            second.start()
            assert waits.wait(30)
        second.join(30)
    logging.getLogger("delivery.sender").removeHandler(handler)
    assert states(database) == {"sent": 3}
    assert_twice_only_as_the_ledger_says(database, server, addresses, repeats=False)
