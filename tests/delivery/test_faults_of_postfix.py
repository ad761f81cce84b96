"""The faults that the test server of Postfix can have lead to the right states."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from core.database import Database
from delivery.context import SendingContext
from delivery.sender import send_due
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp.server import SmtpServer
from tests.support.factories import IDENTITY, NOW
from tests.support.outbox import plan_mails, states

MAILS = 3
SINK = shutil.which("smtp-sink", path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def smtp_sink(*switches: str) -> Iterator[SmtpServer]:
    """The test server of Postfix, which has its own ways to fail."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user_switch = ["-u", "nobody"] if os.geteuid() == 0 else []  # it refuses to run as root
    process = subprocess.Popen([str(SINK), *user_switch, *switches, f"127.0.0.1:{port}", "16"])  # noqa: S603
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield SmtpServer("127.0.0.1", port, "none")
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(SINK is None, reason="smtp-sink (of the package postfix) is not installed")
@pytest.mark.parametrize(
    ("switches", "state"),
    [
        (["-q", "."], "uncertain"),  # it accepts the message and drops the connection
        (["-q", "data"], "deferred"),
        (["-q", "rcpt"], "deferred"),
        (["-Q", "."], "deferred"),  # 421
        (["-r", "rcpt"], "deferred"),
        (["-f", "."], "failed"),
        (["-p"], "sent"),  # no pipelining
        ([], "sent"),
    ],
)
def test_the_faults_of_the_test_server_of_postfix_lead_to_the_right_states(
    sqlite_database: Database, switches: list[str], state: str
) -> None:
    plan_mails(sqlite_database, MAILS)
    with smtp_sink(*switches) as server:
        context = SendingContext(sqlite_database, SmtpPool([server]), IDENTITY, lambda: NOW)
        result = send_due(context, None, repeat_uncertain=False)
    assert (result.stopped, states(sqlite_database)) == ("", {state: MAILS})
    assert result.states == states(sqlite_database)
