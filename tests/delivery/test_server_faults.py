"""Faults of mail servers: every fault in every phase of the dialogue, and what happens to the mails."""

import asyncio
import os
import shutil
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from core.database import Base, Database
from core.schema import open_database
from delivery.context import SendingContext
from delivery.sender import SendResult, send_due
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp import connection
from delivery.transport.smtp.protocol import SmtpProtocol
from delivery.transport.smtp.server import SmtpServer
from subscribers.suppression import is_suppressed
from tests.support.factories import IDENTITY, NOW
from tests.support.outbox import deliveries, plan_mails, recipients, states
from tests.support.servers.smtp import ScriptedServer, in_order
from tests.support.smtp_faults import (
    CASES,
    GOOD_CODES,
    HOOKS,
    MESSAGE_PHASES,
    MODES,
    expected_result,
    reply_of,
)

BUFFER_BYTES = 65_536
MAILS = 3
LOGIN = ("paperboy", "secret")
# It is larger than the buffers after `shrink_send_buffer`, so a text is interrupted before it has been sent.
LONG_TEXT = "A line of the text that is long enough to be worth its while.\n" * 12_000


@pytest.fixture(scope="module")
def one_database(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("faults") / "paperboy.db"
    shutil.copy(sqlite_template, path)
    opened = open_database(f"sqlite:///{path}")
    yield opened
    opened.engine.dispose()


@pytest.fixture
def database(one_database: Database) -> Database:
    """An empty database. All tests here share one file, because opening one takes longer than most of them."""
    with one_database.sessions.begin() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(delete(table))
    return one_database


class Servers:
    """Makes servers that support one mode, and sends mails over them."""

    def __init__(self, mode: str, tls: ssl.SSLContext, ca_file: Path) -> None:
        self.extensions = ["8BITMIME", "SIZE 20971520", *(["PIPELINING"] if mode == "pipelining" else [])]
        self.is_secure = mode == "encrypted"
        self.options: dict[str, Any] = {"tls": tls, "login": LOGIN} if self.is_secure else {}
        self.ca_file = str(ca_file)

    def make(self, **hooks: Any) -> ScriptedServer:
        return ScriptedServer(
            **self.options, **hooks, extensions=self.extensions, receive_buffer=BUFFER_BYTES
        )

    def send(self, database: Database, server: ScriptedServer, after: timedelta = timedelta()) -> SendResult:
        secure = ("starttls", *LOGIN, self.ca_file) if self.is_secure else ("none",)
        transport = SmtpPool([SmtpServer(server.host, server.port, *secure)])
        context = SendingContext(database, transport, IDENTITY, lambda: NOW + after)
        return send_due(context, None, repeat_uncertain=False)


@pytest.fixture
def servers(mode: str, server_tls: ssl.SSLContext, ca_file: Path) -> Servers:
    return Servers(mode, server_tls, ca_file)


def shorten_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait no longer for a reply than a good one takes on a busy machine."""
    monkeypatch.setattr(connection, "_TIMEOUTS", dict.fromkeys(connection._TIMEOUTS, 1.5))


def shrink_send_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the operating system take only little of a text at once."""
    begin = SmtpProtocol.connection_made

    def connection_made(self: SmtpProtocol, transport: asyncio.BaseTransport) -> None:
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as duplicate:
            duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        begin(self, transport)

    monkeypatch.setattr(SmtpProtocol, "connection_made", connection_made)


def receive_bytewise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reply arrives byte by byte, so it is cut at every place."""
    receive = SmtpProtocol.data_received

    def bytewise(self: SmtpProtocol, data: bytes) -> None:
        for byte in data:
            receive(self, bytes([byte]))

    monkeypatch.setattr(SmtpProtocol, "data_received", bytewise)


def assert_balance(database: Database, *runs: SendResult) -> None:
    """The counts of the runs are those of the outbox. All other mails are planned."""
    counted: Counter[str] = Counter()
    for run in runs:
        counted += run.states
    assert counted == +Counter({state: n for state, n in states(database).items() if state != "planned"})


# --- every fault --------------------------------------------------------------------


@pytest.mark.parametrize(("phase", "mode", "fault"), CASES)
def test_a_fault_harms_its_own_mail_no_more_than_it_must_and_no_other_mail(
    database: Database, servers: Servers, phase: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "hang":
        shorten_timeouts(monkeypatch)
    if phase == "body":
        shrink_send_buffer(monkeypatch)
    addresses = plan_mails(database, MAILS, extra_text=LONG_TEXT if phase == "body" else "")
    expected = expected_result(phase, fault)
    with servers.make(**{HOOKS[phase]: in_order(reply_of(phase, fault))}) as server:
        result = servers.send(database, server)
        hit, *others = deliveries(database)
        assert hit.state == expected.state
        assert {delivery.state for delivery in others} == {"planned" if expected.stops else "sent"}
        assert bool(result.stopped) == expected.stops
        assert "\n" not in result.stopped
        assert_balance(database, result)

        if expected.stops:
            assert recipients(server) == []
        monkeypatch.undo()
        servers.send(database, server, after=timedelta(hours=1))  # the server works again
    final = expected.state if expected.state in {"failed", "uncertain"} else "sent"
    assert states(database) == Counter({"sent": MAILS - 1}) + Counter([final])
    copies = Counter(recipients(server))
    assert all(copies[address] == 1 for address in addresses[1:])
    assert copies[addresses[0]] == 1 or (copies[addresses[0]] == 0 and final != "sent")
    with database.sessions() as session:
        assert not is_suppressed(session, addresses[0])


@pytest.mark.parametrize(
    ("phase", "mode"),
    [
        ("connect", "step by step"),
        ("ehlo", "step by step"),
        *((phase, "encrypted") for phase in HOOKS if phase not in {"connect", "ehlo", "body"}),
        *((phase, "pipelining") for phase in MESSAGE_PHASES if phase != "body"),
    ],
)
def test_replies_of_many_lines_are_understood_when_they_arrive_byte_by_byte(
    database: Database, servers: Servers, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive_bytewise(monkeypatch)
    code = GOOD_CODES.get(phase, "250")
    long_reply = "\r\n".join([*(f"{code}-{number} of many" for number in range(20)), f"{code} 2.0.0 Ok"])
    plan_mails(database, 2)
    with servers.make(**{HOOKS[phase]: long_reply}) as server:
        result = servers.send(database, server)
    assert (result.stopped, states(database)) == ("", {"sent": 2})
    assert len(server.messages) == 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("phase", ["rcpt", "ack"])
def test_only_a_dead_address_is_suppressed(database: Database, servers: Servers, phase: str) -> None:
    dead, alive = plan_mails(database, 2)
    with servers.make(**{HOOKS[phase]: in_order(reply_of(phase, "no such user"))}) as server:
        result = servers.send(database, server)
    assert states(database) == {"failed": 1, "sent": 1}
    assert_balance(database, result)
    with database.sessions() as session:
        assert is_suppressed(session, dead)
        assert not is_suppressed(session, alive)


BETWEEN_MAILS = [
    *product(["mail"], MODES, ["421", "hang", "drop", "reset", "garbage", "a long line"]),
    # If these commands are sent ahead, they also come between two mails.
    *product(
        ["rcpt", "data"],
        ["pipelining"],
        ["421", "hang", "drop", "reset", "garbage", "a reply that does not fit"],
    ),
]


@pytest.mark.parametrize(("phase", "mode", "fault"), BETWEEN_MAILS)
def test_a_connection_that_fails_between_two_mails_delays_neither_of_them(
    database: Database, servers: Servers, phase: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "hang":
        shorten_timeouts(monkeypatch)
    addresses = plan_mails(database, 3)
    with servers.make(**{HOOKS[phase]: in_order(None, reply_of(phase, fault))}) as server:
        result = servers.send(database, server)
    assert states(database) == {"sent": 3}
    assert recipients(server) == addresses
    assert server.sessions == 2
    assert_balance(database, result)


@pytest.mark.parametrize("mode", ["pipelining"])
@pytest.mark.parametrize("phase", ["rcpt", "data"])
@pytest.mark.parametrize(("fault", "state"), [("4xx", "deferred"), ("5xx", "failed")])
def test_a_refusal_of_commands_that_were_sent_ahead_counts_for_their_own_mail(
    database: Database, servers: Servers, phase: str, fault: str, state: str
) -> None:
    first, _, last = plan_mails(database, 3)
    with servers.make(**{HOOKS[phase]: in_order(None, reply_of(phase, fault))}) as server:
        result = servers.send(database, server)
    assert [delivery.state for delivery in deliveries(database)] == ["sent", state, "sent"]
    assert recipients(server) == [first, last]
    assert_balance(database, result)
