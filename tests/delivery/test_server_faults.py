"""The fault catalogue of mail servers: each phase of the dialogue by each fault, and what becomes of the mails."""

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from delivery.transport.smtp.replies import BEFORE_MESSAGE
from delivery.transport.smtp.server import SmtpServer
from subscribers.suppression import is_suppressed
from tests.support.factories import IDENTITY, NOW
from tests.support.outbox import deliveries, plan_mails, recipients, states
from tests.support.servers.smtp import CLOSE_NOTIFY, DROP, HANG, RESET, Reply, ScriptedServer, in_turn

HOOKS = {
    "connect": "on_connect",
    "ehlo": "on_ehlo",
    "tls": "on_starttls",
    "login": "on_auth",
    "mail": "on_mail",
    "rcpt": "on_rcpt",
    "data": "on_data",
    "body": "on_text",
    "ack": "on_body",
}
GOOD = {"connect": "220", "tls": "220", "login": "235", "data": "354"}  # elsewhere 250
FAULTS = (
    "4xx",
    "5xx",
    "421",
    "hang",
    "drop",
    "reset",
    "garbage",
    "garbage, then good",
    "a reply that does not fit",
    "a long line",
    "a line without an end",
    "many lines",
)
MANNERS = ("step by step", "pipelining", "encrypted")
MESSAGE_PHASES = [phase for phase in HOOKS if phase not in BEFORE_MESSAGE]
CASES = [
    *((phase, "step by step", fault) for phase in ("connect", "ehlo") for fault in FAULTS),
    *((phase, "encrypted", fault) for phase in ("tls", "login") for fault in FAULTS),
    *((phase, manner, fault) for phase in MESSAGE_PHASES for manner in MANNERS[:2] for fault in FAULTS),
    *((phase, "encrypted", fault) for phase in ("body", "ack") for fault in FAULTS),
    *(("body", manner, "good, but too early") for manner in MANNERS),
    *((phase, "encrypted", "close_notify") for phase in ("login", "body", "ack")),
    ("tls", "encrypted", "good, then garbage"),
]
BUFFER = 65_536
MAILS = 3
LOGIN = ("paperboy", "secret")
# More than `narrow` lets be under way, so that a text is interrupted before it has left.
LONG_TEXT = "A line of the text that is long enough to be worth its while.\n" * 12_000


def reply_of(phase: str, fault: str) -> Reply:
    good = GOOD.get(phase, "250").encode()
    replies: dict[str, Reply] = {
        "4xx": "451 4.3.0 Not now",
        "5xx": "554 5.3.0 Never",
        "421": "421 4.3.2 Shutting down",
        "no such user": "550 5.1.1 No such user",
        "hang": HANG,
        "drop": DROP,
        "reset": RESET,
        "close_notify": CLOSE_NOTIFY,
        "garbage": b"\xff\x00 what is this\r\n",
        "good, then garbage": good + b" Ok\r\nwhat is this\r\n",
        "garbage, then good": b"what is this\r\n" + good + b" Ok\r\n",
        "a reply that does not fit": "251 Hm" if phase == "data" else "354 Hm",
        "a long line": good + b" " + b"x" * 5000 + b"\r\n",
        "a line without an end": good + b" " + b"x" * 20_000,
        "good, but too early": good + b" 2.0.0 Ok\r\n",
        "many lines": (good + b"-and\r\n") * 200 + good + b" Ok\r\n",
    }
    return replies[fault]


@dataclass(frozen=True)
class Expected:
    """What becomes of the mail that meets the fault; of the others when the run `stops`, they stay planned."""

    state: str
    stops: bool = False


def expected(phase: str, fault: str) -> Expected:
    if phase == "ehlo" and fault == "5xx":
        return Expected("sent")  # an old server is greeted with HELO
    if phase in BEFORE_MESSAGE:
        return Expected("planned", stops=True)
    if fault in {"4xx", "421"}:
        return Expected("deferred")
    if fault in {"5xx", "no such user"}:
        return Expected("planned", stops=True) if phase == "mail" else Expected("failed")
    return Expected("uncertain" if phase == "ack" else "deferred")


@pytest.fixture(scope="module")
def one_database(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("catalogue") / "paperboy.db"
    shutil.copy(sqlite_template, path)
    opened = open_database(f"sqlite:///{path}")
    yield opened
    opened.engine.dispose()


@pytest.fixture
def database(one_database: Database) -> Database:
    """An empty database, one file for all tests here: opening one takes longer than most of them."""
    with one_database.sessions.begin() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(delete(table))
    return one_database


class Servers:
    """Makes servers that are spoken to in one manner, and sends by them."""

    def __init__(self, manner: str, tls: ssl.SSLContext, ca_file: Path) -> None:
        self.extensions = ["8BITMIME", "SIZE 20971520", *(["PIPELINING"] if manner == "pipelining" else [])]
        self.is_secure = manner == "encrypted"
        self.terms: dict[str, Any] = {"tls": tls, "login": LOGIN} if self.is_secure else {}
        self.ca_file = str(ca_file)

    def make(self, **hooks: Any) -> ScriptedServer:
        return ScriptedServer(**self.terms, **hooks, extensions=self.extensions, receive_buffer=BUFFER)

    def send(self, database: Database, server: ScriptedServer, after: timedelta = timedelta()) -> SendResult:
        secure = ("starttls", *LOGIN, self.ca_file) if self.is_secure else ("none",)
        transport = SmtpPool([SmtpServer(server.host, server.port, *secure)])
        context = SendingContext(database, transport, IDENTITY, lambda: NOW + after)
        return send_due(context, None, repeat_uncertain=False)


@pytest.fixture
def servers(manner: str, server_tls: ssl.SSLContext, ca_file: Path) -> Servers:
    return Servers(manner, server_tls, ca_file)


def be_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_TIMEOUTS", dict.fromkeys(connection._TIMEOUTS, 0.4))


def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system take little of a text at once."""
    begin = SmtpProtocol.connection_made

    def connection_made(self: SmtpProtocol, transport: asyncio.SmtpPool) -> None:
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        begin(self, transport)

    monkeypatch.setattr(SmtpProtocol, "connection_made", connection_made)


def hear_bytewise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reply comes in pieces of one byte, so in particular cut at every place."""
    hear = SmtpProtocol.data_received

    def bytewise(self: SmtpProtocol, data: bytes) -> None:
        for byte in data:
            hear(self, bytes([byte]))

    monkeypatch.setattr(SmtpProtocol, "data_received", bytewise)


def assert_balance(database: Database, *runs: SendResult) -> None:
    """Every mail is counted in the state in which the ledger has it, the rest is planned."""
    counted: Counter[str] = Counter()
    for run in runs:
        counted += run.states
    assert counted == +Counter({state: n for state, n in states(database).items() if state != "planned"})


# --- the catalogue ------------------------------------------------------------------


@pytest.mark.parametrize(("phase", "manner", "fault"), CASES)
def test_a_fault_costs_the_mail_it_hits_no_more_than_it_must_and_the_others_nothing(
    database: Database, servers: Servers, phase: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "hang":
        be_impatient(monkeypatch)
    if phase == "body":
        narrow(monkeypatch)
    addresses = plan_mails(database, MAILS, more_text=LONG_TEXT if phase == "body" else "")
    wanted = expected(phase, fault)
    with servers.make(**{HOOKS[phase]: in_turn(reply_of(phase, fault))}) as server:
        result = servers.send(database, server)
        hit, *others = deliveries(database)
        assert hit.state == wanted.state
        assert {delivery.state for delivery in others} == {"planned" if wanted.stops else "sent"}
        assert bool(result.stopped) == wanted.stops
        assert "\n" not in result.stopped
        assert_balance(database, result)

        if wanted.stops:
            assert recipients(server) == []
        monkeypatch.undo()
        servers.send(database, server, after=timedelta(hours=1))  # the server has come to its senses
    final = wanted.state if wanted.state in {"failed", "uncertain"} else "sent"
    assert states(database) == Counter({"sent": MAILS - 1}) + Counter([final])
    times = Counter(recipients(server))
    assert all(times[address] == 1 for address in addresses[1:])
    assert times[addresses[0]] == 1 or (times[addresses[0]] == 0 and final != "sent")
    with database.sessions() as session:
        assert not is_suppressed(session, addresses[0])


@pytest.mark.parametrize(
    ("phase", "manner"),
    [
        ("connect", "step by step"),
        ("ehlo", "step by step"),
        *((phase, "encrypted") for phase in HOOKS if phase not in {"connect", "ehlo", "body"}),
        *((phase, "pipelining") for phase in MESSAGE_PHASES if phase != "body"),
    ],
)
def test_replies_of_many_lines_that_arrive_byte_by_byte_are_understood(
    database: Database, servers: Servers, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear_bytewise(monkeypatch)
    code = GOOD.get(phase, "250")
    long_reply = "\r\n".join([*(f"{code}-{number} of many" for number in range(20)), f"{code} 2.0.0 Ok"])
    plan_mails(database, 2)
    with servers.make(**{HOOKS[phase]: long_reply}) as server:
        result = servers.send(database, server)
    assert (result.stopped, states(database)) == ("", {"sent": 2})
    assert len(server.messages) == 2


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("phase", ["rcpt", "ack"])
def test_of_all_refusals_only_that_of_a_dead_address_suppresses_its_reader(
    database: Database, servers: Servers, phase: str
) -> None:
    dead, alive = plan_mails(database, 2)
    with servers.make(**{HOOKS[phase]: in_turn(reply_of(phase, "no such user"))}) as server:
        result = servers.send(database, server)
    assert states(database) == {"failed": 1, "sent": 1}
    assert_balance(database, result)
    with database.sessions() as session:
        assert is_suppressed(session, dead)
        assert not is_suppressed(session, alive)


BETWEEN_MAILS = [
    *product(["mail"], MANNERS, ["421", "hang", "drop", "reset", "garbage", "a long line"]),
    # Where these leave with the text before, they are between two mails as well.
    *product(
        ["rcpt", "data"],
        ["pipelining"],
        ["421", "hang", "drop", "reset", "garbage", "a reply that does not fit"],
    ),
]


@pytest.mark.parametrize(("phase", "manner", "fault"), BETWEEN_MAILS)
def test_a_connection_that_fails_between_two_mails_costs_neither_of_them_a_delay(
    database: Database, servers: Servers, phase: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "hang":
        be_impatient(monkeypatch)
    addresses = plan_mails(database, 3)
    with servers.make(**{HOOKS[phase]: in_turn(None, reply_of(phase, fault))}) as server:
        result = servers.send(database, server)
    assert states(database) == {"sent": 3}
    assert recipients(server) == addresses
    assert server.sessions == 2
    assert_balance(database, result)


@pytest.mark.parametrize("manner", ["pipelining"])
@pytest.mark.parametrize("phase", ["rcpt", "data"])
@pytest.mark.parametrize(("fault", "state"), [("4xx", "deferred"), ("5xx", "failed")])
def test_a_refusal_of_commands_sent_ahead_is_that_of_their_own_mail(
    database: Database, servers: Servers, phase: str, fault: str, state: str
) -> None:
    first, _, last = plan_mails(database, 3)
    with servers.make(**{HOOKS[phase]: in_turn(None, reply_of(phase, fault))}) as server:
        result = servers.send(database, server)
    assert [delivery.state for delivery in deliveries(database)] == ["sent", state, "sent"]
    assert recipients(server) == [first, last]
    assert_balance(database, result)


# --- a server that others wrote -----------------------------------------------------

SINK = shutil.which("smtp-sink", path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def smtp_sink(*switches: str) -> Iterator[SmtpServer]:
    """Postfix's server for tests, with its own ways to fail."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    as_whom = ["-u", "nobody"] if os.geteuid() == 0 else []  # it refuses to run as root
    process = subprocess.Popen([str(SINK), *as_whom, *switches, f"127.0.0.1:{port}", "16"])  # noqa: S603
    try:
        ends = time.monotonic() + 30
        while not _listens(port):
            assert process.poll() is None
            assert time.monotonic() < ends
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
        (["-q", "."], "uncertain"),  # takes the message, then drops the connection
        (["-q", "data"], "deferred"),
        (["-q", "rcpt"], "deferred"),
        (["-Q", "."], "deferred"),  # 421
        (["-r", "rcpt"], "deferred"),
        (["-f", "."], "failed"),
        (["-p"], "sent"),  # no pipelining
        ([], "sent"),
    ],
)
def test_what_postfix_s_own_test_server_does_to_every_mail_is_what_the_ledger_says(
    database: Database, switches: list[str], state: str
) -> None:
    plan_mails(database, MAILS)
    with smtp_sink(*switches) as address:
        context = SendingContext(database, SmtpPool([address]), IDENTITY, lambda: NOW)
        result = send_due(context, None, repeat_uncertain=False)
    assert (result.stopped, states(database)) == ("", {state: MAILS})
    assert_balance(database, result)
