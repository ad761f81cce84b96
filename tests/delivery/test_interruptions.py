"""Ctrl-C and SIGTERM end a run between two mails: nobody gets a mail twice, and nothing is uncertain."""

import signal
import threading
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from core.database import Database
from core.schema import open_database
from tests.support.commands import CONNECTIONS, Command, running
from tests.support.factories import NOW, add_issue, add_subscriber, issue_of
from tests.support.outbox import deliveries, recipients, states
from tests.support.servers.smtp import ScriptedServer

READERS = 120
INTERRUPTED = "paperboy: interrupted: run it again, and it goes on where it stopped\n"
DIGEST = ("digest", "weekly", "--now", NOW.isoformat())
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
SIGNAL_AT = READERS // 3  # the mail at which the signal comes
SLOW_SECONDS = 0.2  # that the server needs for each mail from then on
# The run ends within a second, in which the server takes so many mails. They are counted, and not the seconds,
# because a busy machine makes everything slow but lets no more mails out.
MAX_MAILS_AFTER_SIGNAL = round(1 / SLOW_SECONDS) * CONNECTIONS


@pytest.fixture
def readers(database_url: str) -> Iterator[Database]:
    """A database of each kind with an issue and its readers."""
    database = open_database(database_url)
    with database.sessions.begin() as session:
        add_issue(session, issue_of(2, start=date(2025, 7, 28)), now=NOW - timedelta(days=1))
        for number in range(READERS):
            add_subscriber(session, f"reader{number}@example{number}.com")
    yield database
    database.engine.dispose()


class SignalAtMail:
    """A script of the server: at the mail with this number it sends the signals, and from then on it is slow."""

    def __init__(self, number: int, *signals: int) -> None:
        self._number, self._signals = number, signals
        self._lock, self._mails = threading.Lock(), 0
        self.command: Command | None = None

    def __call__(self, _message: object) -> None:
        with self._lock:
            self._mails += 1
            mails = self._mails
        if mails == self._number:
            assert self.command
            self.command.signal(*self._signals)
        if mails >= self._number:
            time.sleep(SLOW_SECONDS)


def interrupt_digest(
    folder: Path, database: Database, server: ScriptedServer, *signals: int, before: str = ""
) -> tuple[int, str]:
    """Run a digest and interrupt it in its middle. Returns exit code and errors."""
    script = SignalAtMail(SIGNAL_AT, *signals)
    server.on_body = script
    with running(folder, url_of(database), server, *DIGEST, before=before) as command:
        script.command = command
        ended = command.end()
    server.on_body = None
    return ended


def url_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


def assert_ended_between_two_mails(database: Database, server: ScriptedServer) -> None:
    found = states(database)
    assert set(found) == {"sent", "planned"}
    assert found["sent"] == len(server.messages)
    assert SIGNAL_AT <= found["sent"] <= SIGNAL_AT + MAX_MAILS_AFTER_SIGNAL


def assert_the_next_run_sends_the_rest(folder: Path, database: Database, server: ScriptedServer) -> None:
    with running(folder, url_of(database), server, *DIGEST) as command:
        assert command.end() == (0, "")
    assert sorted(recipients(server)) == sorted(f"reader{n}@example{n}.com" for n in range(READERS))
    assert states(database) == {"sent": READERS}
    assert {delivery.repeats for delivery in deliveries(database)} == {0}


@pytest.mark.parametrize("number", EXIT_CODES)
def test_an_interrupted_digest_repeats_no_mail_and_leaves_none_uncertain(
    readers: Database, server: ScriptedServer, tmp_path: Path, number: signal.Signals
) -> None:
    ended = interrupt_digest(tmp_path, readers, server, number)
    assert ended == (EXIT_CODES[number], INTERRUPTED)
    assert_ended_between_two_mails(readers, server)
    assert_the_next_run_sends_the_rest(tmp_path, readers, server)


def test_a_second_sigterm_does_not_hurry_a_digest_that_is_ending(
    readers: Database, server: ScriptedServer, tmp_path: Path
) -> None:
    ended = interrupt_digest(tmp_path, readers, server, signal.SIGTERM, signal.SIGTERM)
    assert ended == (143, INTERRUPTED)
    assert_ended_between_two_mails(readers, server)


def test_a_signal_while_a_digest_is_planned_leaves_nothing_half_planned(
    readers: Database, server: ScriptedServer, tmp_path: Path
) -> None:
    """The process signals itself within the transaction that plans."""
    before = """
import os, signal
from delivery import planner
plan = planner.plan_digest
def plan_and_signal(*arguments, **options):
    result = plan(*arguments, **options)
    os.kill(os.getpid(), signal.SIGTERM)
    return result
planner.plan_digest = plan_and_signal
"""
    with running(tmp_path, url_of(readers), server, *DIGEST, before=before) as command:
        assert command.end() == (143, INTERRUPTED)
    assert states(readers) == {}
    assert_the_next_run_sends_the_rest(tmp_path, readers, server)


IN_A_FLOW = """
from delivery import sender
from prefect.exceptions import TerminationSignal
from prefect.utilities import engine
run = sender.run_interruptibly
async def noting(work):
    print("can be cancelled:", engine.can_ack_control_intent(), file=sys.stderr)
    return await work
def run_in_a_flow(work):
    try:
        with engine.capture_sigterm():
            return run(noting(work))
    except BaseException as error:
        print("ended by Prefect:", isinstance(error.__context__, TerminationSignal), file=sys.stderr)
        raise
sender.run_interruptibly = run_in_a_flow
"""


def test_a_run_leaves_the_signal_handler_of_prefect_in_place(
    readers: Database, server: ScriptedServer, tmp_path: Path
) -> None:
    """Prefect cancels a run only if its own handler is the current one. Otherwise the run counts as crashed."""
    code, errors = interrupt_digest(tmp_path, readers, server, signal.SIGTERM, before=IN_A_FLOW)
    assert errors == f"can be cancelled: True\nended by Prefect: True\n{INTERRUPTED}"
    assert code == 143
    assert_ended_between_two_mails(readers, server)
