"""Fuses: named points of the way of a mail at which a process kills itself, planted from outside.

A process that wants to die somewhere calls `plant`; it wraps the functions of the way in this process
only. Points on the wire are exact: what comes before the point has left for the server, nothing else has.
"""

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from core.bulk_update import CombinedUpdate
from delivery import events, outbox, planner, settlement
from delivery.rate_limit import DomainThrottle
from delivery.transport import pool
from delivery.transport.pool import Client
from delivery.transport.smtp import connection
from delivery.transport.smtp.connection import Connection
from delivery.transport.smtp.protocol import Channel
from emails.message import Message

CONNECTIONS = 4  # of each sender; half of them are offered PIPELINING
MAX_BATCH = 20  # mails: about so many pass between two events that do not come with every mail


@dataclass(frozen=True)
class Point:
    """A place to die: about every so many mails it is passed once (0: once in a run).

    What is `slow` comes once in a while, however many mails there are. What is about the death of another
    needs a kill before, and what is about the end of a run an interruption.
    """

    name: str
    all_issues: int = 1
    slow: bool = False
    needs_dead: bool = False
    needs_interruption: bool = False


@dataclass(frozen=True)
class Fuse:
    """To die when the point is passed for the `nth` time; at a random moment, after so many milliseconds."""

    point: Point
    nth: int


def _around(name: str, **traits: Any) -> list[Point]:
    return [Point(f"{when} {name}", **traits) for when in ("before", "after")]


FINAL_DOT = Point("after the final dot")
RANDOM = Point("at a random moment")  # it is for the parent to kill then
_STEPS = ("MAIL", "RCPT", "DATA")
_CUTS = ("before the body", "within the body", "before the final dot", "within the final dot")
POINTS: tuple[Point, ...] = (
    *_around("the commit of a plan", all_issues=MAX_BATCH),
    *_around("the commit of erasing", all_issues=0),
    *_around("the commit of a claim", all_issues=MAX_BATCH),
    *_around("the commit of a take-over", all_issues=0, needs_dead=True),
    *_around("the commit of announcing", all_issues=2 * MAX_BATCH),
    *_around("the commit of settling", all_issues=2 * MAX_BATCH),
    *_around("the commit of settling and announcing", all_issues=CONNECTIONS),
    *_around("the commit of renewing", all_issues=0, slow=True),
    *_around("the commit of paces", all_issues=MAX_BATCH),
    *_around("the commit of putting back", needs_interruption=True),
    Point("before connecting", all_issues=MAX_BATCH),
    *_around("the greeting", all_issues=MAX_BATCH),
    *_around("EHLO", all_issues=MAX_BATCH),
    *(point for verb in _STEPS for point in _around(verb, all_issues=2)),
    *(point for verb in _STEPS for point in _around(f"{verb} in a pipeline", all_issues=2)),
    *(Point(name) for name in _CUTS),
    FINAL_DOT,
    Point("before the answer is judged"),
    Point("after the answer is judged"),
    *_around("QUIT", all_issues=MAX_BATCH),
)


class _Burning:
    def __init__(self, fuse: Fuse) -> None:
        self.name = fuse.point.name
        self._left = 1 if fuse.point.needs_interruption else fuse.nth
        self._mails_left = fuse.nth if fuse.point.needs_interruption else 0

    def ends_at(self, name: str) -> bool:
        if name != self.name:
            return False
        self._left -= 1
        return self._left == 0

    def at(self, name: str) -> None:
        if self.ends_at(name):
            _die()

    def interrupt(self) -> None:
        """Press Ctrl-C, if it is time to."""
        self._mails_left -= 1
        if self._mails_left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def plant(fuse: Fuse, engine: Engine) -> None:
    """Let this process die at the fuse's point."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever forked us may not listen to it
    burning = _Burning(fuse)
    _watch_commits(engine, burning)
    _watch_connections(burning)
    _watch_dialogue(burning)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


# --- commits ------------------------------------------------------------------------

# What a transaction has called tells what its commit is about.
_DEEDS: tuple[tuple[Any, str, str], ...] = (
    (planner, "plan", "a plan"),
    (events, "erase_forgotten", "erasing"),
    (outbox, "_claim_of", "a claim"),
    (outbox, "mark_uncertain", "a take-over"),
    (settlement, "_announcements", "announcing"),
    (settlement, "_settlements", "settling"),
    (outbox, "renew", "renewing"),
    (outbox, "put_back", "putting back"),
    (DomainThrottle, "write", "paces"),
)


def _watch_commits(engine: Engine, burning: _Burning) -> None:
    done: set[str] = set()
    for owner, name, deed in _DEEDS:
        setattr(owner, name, _noting(getattr(owner, name), deed, done))

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def commit(*args: Any) -> Any:
            names = [f"the commit of {deed}" for deed in _joined(done)]
            done.clear()
            for name in names:
                burning.at(f"before {name}")
            answer = real(*args)
            for name in names:
                burning.at(f"after {name}")
            return answer

        return commit

    engine.dialect.do_commit = watched(engine.dialect.do_commit)  # type: ignore[method-assign]
    CombinedUpdate._ask = watched(CombinedUpdate._ask)  # type: ignore[method-assign]  # commits by itself


def _noting(real: Callable[..., Any], deed: str, done: set[str]) -> Callable[..., Any]:
    def noting(*args: Any, **kwargs: Any) -> Any:
        has_no_deliveries = [] in args[:2]
        has_no_paces = isinstance(args[0], DomainThrottle) and not args[0].has_changed
        if not (has_no_deliveries or has_no_paces):
            done.add(deed)
        return real(*args, **kwargs)

    return noting


def _joined(done: set[str]) -> Sequence[str]:
    both = {"settling", "announcing"}
    return [*(done - both), "settling and announcing"] if both <= done else list(done)


# --- the wire -----------------------------------------------------------------------


def _watch_connections(burning: _Burning) -> None:
    connect, greet = connection.connect, Connection.greet

    async def connect_or_die(*args: Any) -> Connection:
        burning.at("before connecting")
        return await connect(*args)

    async def greet_or_die(self: Connection) -> None:
        burning.at("before the greeting")
        await greet(self)

    pool.connect = connect_or_die  # type: ignore[attr-defined, assignment]
    Connection.greet = greet_or_die  # type: ignore[method-assign]


def _watch_dialogue(burning: _Burning) -> None:
    write, write_text = Channel.write, Channel.write_text
    check, send = Connection._check, Client.send

    def write_or_die(self: Channel, *parts: bytes) -> None:
        _die_at_verb(self, burning, b"", b"".join(parts))
        write(self, *parts)

    def write_text_or_die(self: Channel, *parts: bytes, commands: bytes = b"") -> None:
        text = b"".join(parts)
        _die_in_text(self, burning, text)
        _die_at_verb(self, burning, text, commands)
        write_text(self, *parts, commands=commands)

    def check_or_die(self: Connection, phase: Any, *args: Any) -> None:
        if phase == "connect":
            burning.at("after the greeting")
        elif phase == "ack":
            burning.at("before the answer is judged")
        check(self, phase, *args)

    async def send_or_die(self: Client, *messages: Message | None) -> str:
        answer = await send(self, *messages)  # type: ignore[arg-type]
        burning.interrupt()
        burning.at("after the answer is judged")
        return answer

    Channel.write = write_or_die  # type: ignore[method-assign]
    Channel.write_text = write_text_or_die  # type: ignore[method-assign]
    Connection._check = check_or_die  # type: ignore[method-assign, assignment]
    Client.send = send_or_die  # type: ignore[method-assign, assignment]


def _die_in_text(channel: Channel, burning: _Burning, text: bytes) -> None:
    length = len(text)
    cuts = (0, length // 2, length - 3, length - 2, length)  # it ends with a dot on a line of its own
    for name, cut in zip((*_CUTS, FINAL_DOT.name), cuts, strict=True):
        if burning.ends_at(name):
            _die_with(channel, text[:cut])


def _die_at_verb(channel: Channel, burning: _Burning, text: bytes, commands: bytes) -> None:
    """Die at a command, which may have left together with others and with a text before."""
    when, _, verb = burning.name.removesuffix(" in a pipeline").partition(" ")
    place = b"\r\n".join((b"", commands)).find(f"\r\n{verb}".encode()) if verb.isupper() else -1
    is_pipeline = commands.count(b"\r\n") > 1
    if place >= 0 and burning.ends_at(f"{when} {verb}{' in a pipeline' if is_pipeline else ''}"):
        end = commands.index(b"\r\n", place) + 2
        _die_with(channel, text + commands[: place if when == "before" else end])


def _die_with(channel: Channel, last_words: bytes) -> None:
    """Die when exactly these bytes have left for the server; an event loop would keep them for later."""
    line = channel.transport.get_extra_info("socket").fileno()
    os.set_blocking(line, True)
    while last_words:
        last_words = last_words[os.write(line, last_words) :]
    _die()
