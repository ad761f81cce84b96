"""Fault injection: named points in the sending of a mail at which a process kills itself.

`inject` wraps functions of the product, in the calling process only. The points on the wire are exact: everything
before the point has left for the server, and nothing else has.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from core.bulk_update import CombinedUpdate
from delivery import events, outbox, planner, settlement
from delivery.rate_limit import DomainThrottle
from delivery.transport import pool
from delivery.transport.pool import SmtpClient
from delivery.transport.smtp import connection
from delivery.transport.smtp.connection import SmtpConnection
from delivery.transport.smtp.protocol import SmtpProtocol
from emails.message import Message

CONNECTIONS = 4  # of each sender; the server offers PIPELINING on half of them
MAX_BATCH = 20  # mails; about this many pass between two events that do not happen with every mail


@dataclass(frozen=True)
class CrashPoint:
    """A point that a process passes about once for every `mails_per_pass` mails; 0 means once in a run.

    A point that `is_slow` is passed once in a while, however many mails there are. Some points are only passed
    after another process was killed, or when the run is interrupted.
    """

    name: str
    mails_per_pass: int = 1
    is_slow: bool = False
    requires_killed_sender: bool = False
    requires_interruption: bool = False


@dataclass(frozen=True)
class Crash:
    """A process dies when it passes the point for the `nth` time.

    For what the parent process does, `nth` is the number of milliseconds after the start of the process.
    """

    point: CrashPoint
    nth: int


def _around(name: str, **fields: Any) -> list[CrashPoint]:
    return [CrashPoint(f"{when} {name}", **fields) for when in ("before", "after")]


FINAL_DOT = CrashPoint("after the final dot")
RANDOM = CrashPoint("at a random moment")  # the parent process kills
# The parent process does these at a random moment, too, and the sender goes on.
STOPPED = CrashPoint("SIGSTOP past the lease")
SESSIONS_ENDED = CrashPoint("all sessions terminated")
DATABASE_KILLED = CrashPoint("SIGKILL of the database")
BY_PARENT = (RANDOM, STOPPED, SESSIONS_ENDED, DATABASE_KILLED)
TERMINATION = CrashPoint(
    "SIGTERM after a reply", requires_interruption=True
)  # it ends by itself, between mails
_VERBS = ("MAIL", "RCPT", "DATA")
_POINTS_IN_TEXT = ("before the body", "within the body", "before the final dot", "within the final dot")
POINTS: tuple[CrashPoint, ...] = (
    *_around("the commit of a plan", mails_per_pass=MAX_BATCH),
    *_around("the commit of erasing", mails_per_pass=0),
    *_around("the commit of a claim", mails_per_pass=MAX_BATCH),
    *_around("the commit of taking over", mails_per_pass=0, requires_killed_sender=True),
    *_around("the commit of marking as sending", mails_per_pass=2 * MAX_BATCH),
    *_around("the commit of settling", mails_per_pass=2 * MAX_BATCH),
    *_around("the commit of settling and marking", mails_per_pass=CONNECTIONS),
    *_around("the commit of renewing", mails_per_pass=0, is_slow=True),
    *_around("the commit of domain pauses", mails_per_pass=MAX_BATCH),
    *_around("the commit of putting back", requires_interruption=True),
    CrashPoint("before connecting", mails_per_pass=MAX_BATCH),
    *_around("the greeting", mails_per_pass=MAX_BATCH),
    *_around("EHLO", mails_per_pass=MAX_BATCH),
    *(point for verb in _VERBS for point in _around(verb, mails_per_pass=2)),
    *(point for verb in _VERBS for point in _around(f"{verb} in a pipeline", mails_per_pass=2)),
    *(CrashPoint(name) for name in _POINTS_IN_TEXT),
    FINAL_DOT,
    CrashPoint("before the reply is handled"),
    CrashPoint("after the reply is handled"),
    *_around("QUIT", mails_per_pass=MAX_BATCH),
)


class _Countdown:
    """Counts how often the process passes its crash point."""

    def __init__(self, crash: Crash) -> None:
        self.name = crash.point.name
        self._passes_left = 1 if crash.point.requires_interruption else crash.nth
        self._mails_left = crash.nth if crash.point.requires_interruption else 0
        self._signal = signal.SIGTERM if crash.point == TERMINATION else signal.SIGINT

    def is_over_at(self, name: str) -> bool:
        if name != self.name:
            return False
        self._passes_left -= 1
        return self._passes_left == 0

    def pass_point(self, name: str) -> None:
        if self.is_over_at(name):
            _die()

    def pass_mail(self) -> None:
        """Interrupt the process as Ctrl-C or a service manager does, after the number of mails that was asked for."""
        self._mails_left -= 1
        if self._mails_left == 0:
            os.kill(os.getpid(), self._signal)


def inject(crash: Crash, engine: Engine) -> None:
    """Make this process die at the point of the crash."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent process may have ignored them
        signal.signal(number, signal.default_int_handler)
    countdown = _Countdown(crash)
    _wrap_commits(engine, countdown)
    _wrap_connecting(countdown)
    _wrap_dialogue(countdown)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


# --- commits ------------------------------------------------------------------------

# The functions that a transaction has called tell what its commit is for.
_ACTIONS: tuple[tuple[Any, str, str], ...] = (
    (planner, "plan_digest", "a plan"),
    (events, "erase_forgotten_subscribers", "erasing"),
    (outbox, "_claim_of", "a claim"),
    (outbox, "mark_uncertain", "taking over"),
    (settlement, "_mark_rows", "marking as sending"),
    (settlement, "_settle_rows", "settling"),
    (outbox, "renew", "renewing"),
    (outbox, "put_back", "putting back"),
    (DomainThrottle, "save", "domain pauses"),
)


def _wrap_commits(engine: Engine, countdown: _Countdown) -> None:
    done: set[str] = set()
    for owner, name, action in _ACTIONS:
        setattr(owner, name, _recording(getattr(owner, name), action, done))

    @contextmanager
    def committing() -> Iterator[None]:
        names = [f"the commit of {action}" for action in _joined(done)]
        done.clear()
        for name in names:
            countdown.pass_point(f"before {name}")
        yield
        for name in names:
            countdown.pass_point(f"after {name}")

    commit, run = engine.dialect.do_commit, CombinedUpdate._run_on_postgresql

    def commit_or_die(*args: Any) -> None:
        with committing():
            commit(*args)

    async def run_or_die(self: CombinedUpdate, raw: Any, rows: Any) -> int:
        with committing():
            return await run(self, raw, rows)

    engine.dialect.do_commit = commit_or_die  # type: ignore[assignment, method-assign]
    # Its connection commits every statement by itself.
    CombinedUpdate._run_on_postgresql = run_or_die  # type: ignore[method-assign]


def _recording(real: Callable[..., Any], action: str, done: set[str]) -> Callable[..., Any]:
    def recording(*args: Any, **kwargs: Any) -> Any:
        has_no_deliveries = [] in args[:2]
        has_no_pauses = isinstance(args[0], DomainThrottle) and not args[0].has_changed
        if not (has_no_deliveries or has_no_pauses):
            done.add(action)
        return real(*args, **kwargs)

    return recording


def _joined(done: set[str]) -> Sequence[str]:
    both = {"settling", "marking as sending"}
    return [*(done - both), "settling and marking"] if both <= done else list(done)


# --- the wire -----------------------------------------------------------------------


def _wrap_connecting(countdown: _Countdown) -> None:
    connect, greet = connection.connect, SmtpConnection.greet

    async def connect_or_die(*args: Any) -> SmtpConnection:
        countdown.pass_point("before connecting")
        return await connect(*args)

    async def greet_or_die(self: SmtpConnection) -> None:
        countdown.pass_point("before the greeting")
        await greet(self)

    pool.connect = connect_or_die  # type: ignore[attr-defined, assignment]
    SmtpConnection.greet = greet_or_die  # type: ignore[method-assign]


def _wrap_dialogue(countdown: _Countdown) -> None:
    write, write_text = SmtpProtocol.write, SmtpProtocol.write_text
    check, send = SmtpConnection._check, SmtpClient.send

    def write_or_die(self: SmtpProtocol, *parts: bytes) -> None:
        _die_at_verb(self, countdown, b"", b"".join(parts))
        write(self, *parts)

    def write_text_or_die(self: SmtpProtocol, *parts: bytes, commands: bytes = b"") -> None:
        text = b"".join(parts)
        _die_in_text(self, countdown, text)
        _die_at_verb(self, countdown, text, commands)
        write_text(self, *parts, commands=commands)

    def check_or_die(self: SmtpConnection, phase: Any, *args: Any) -> None:
        if phase == "connect":
            countdown.pass_point("after the greeting")
        elif phase == "ack":
            countdown.pass_point("before the reply is handled")
        check(self, phase, *args)

    async def send_or_die(self: SmtpClient, *messages: Message | None) -> str:
        reply = await send(self, *messages)  # type: ignore[arg-type]
        countdown.pass_mail()
        countdown.pass_point("after the reply is handled")
        return reply

    SmtpProtocol.write = write_or_die  # type: ignore[method-assign]
    SmtpProtocol.write_text = write_text_or_die  # type: ignore[method-assign]
    SmtpConnection._check = check_or_die  # type: ignore[method-assign, assignment]
    SmtpClient.send = send_or_die  # type: ignore[method-assign, assignment]


def _die_in_text(protocol: SmtpProtocol, countdown: _Countdown, text: bytes) -> None:
    length = len(text)
    ends = (0, length // 2, length - 3, length - 2, length)  # the text ends with a dot on a line of its own
    for name, end in zip((*_POINTS_IN_TEXT, FINAL_DOT.name), ends, strict=True):
        if countdown.is_over_at(name):
            _die_after_sending(protocol, text[:end])


def _die_at_verb(protocol: SmtpProtocol, countdown: _Countdown, text: bytes, commands: bytes) -> None:
    """Die at a command, which may be sent together with others and after a text."""
    when, _, verb = countdown.name.removesuffix(" in a pipeline").partition(" ")
    place = b"\r\n".join((b"", commands)).find(f"\r\n{verb}".encode()) if verb.isupper() else -1
    is_pipeline = commands.count(b"\r\n") > 1
    if place >= 0 and countdown.is_over_at(f"{when} {verb}{' in a pipeline' if is_pipeline else ''}"):
        end = commands.index(b"\r\n", place) + 2
        _die_after_sending(protocol, text + commands[: place if when == "before" else end])


def _die_after_sending(protocol: SmtpProtocol, data: bytes) -> None:
    """Die when exactly these bytes have left for the server. An event loop would keep some of them for later."""
    socket = protocol.transport.get_extra_info("socket").fileno()
    os.set_blocking(socket, True)
    while data:
        data = data[os.write(socket, data) :]
    _die()
