"""The ledger of a run: what its lines settle and announce, committed together.

It writes in the event loop itself: no line can go on before its commit, and those that become ready
while one is under way share the next. In a thread of its own it was slower: the two wait for the
interpreter more often than for the disk.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from core.bulk_update import connect
from core.database import Database
from delivery import settlement
from delivery.outbox import Hold
from delivery.retry import Claim, Outcome

logger = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Session, Hold, datetime], T]

Answer = Literal["go", "skipped", "taken"]
GO: Answer = "go"  # the delivery may go out
SKIPPED: Answer = "skipped"  # its reader has left
TAKEN: Answer = "taken"  # another sender holds it by now

GATHER = 0.001  # seconds that a commit waits for all lines, from the first on
PATIENCE = timedelta(minutes=10)  # with a database that is away, before the run ends

# What may pass, in SQLite's codes: the file is locked, the disk is full or fails, the file is not to be had.
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}
_READ_ONLY = "25006"  # PostgreSQL's code: it stands by for another, or its disk is full


@dataclass
class _Entry:
    done: Sequence[Outcome]
    claim: Claim | None
    answer: asyncio.Future[Answer]


class Ledger:
    """Writes for all lines of a run, in the name of one holder."""

    def __init__(
        self, database: Database, token: str, clock: Callable[[], datetime], lease: timedelta
    ) -> None:
        self._database, self._token, self._clock, self._lease = database, token, clock, lease
        self._connection: Connection | None = None
        self.lines = 1  # that may be waiting
        self._entries: list[_Entry] = []
        self._gathered = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def turn(self, done: Sequence[Outcome], claim: Claim | None) -> Answer:
        """Settle what a line has done and announce its next delivery; what becomes of the latter."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._entries.append(_Entry(done, claim, answer))
        if self._writer is None:
            self._gathered.clear()
            self._writer = asyncio.create_task(self._write())
        if len(self._entries) >= self.lines:
            self._gathered.set()
        return await answer

    async def do(self, work: Work[T]) -> T:
        """Do one piece of work in a transaction, again while the database is away."""
        return await self.again(lambda: self._transact(work))

    async def again(self, work: Callable[[], T]) -> T:
        """Do what needs the database, again while it is away."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + PATIENCE.total_seconds()
        pause = 0.5
        while True:
            try:
                return work()
            except DBAPIError as error:
                self.close()
                if not _is_away(error) or loop.time() > ends:
                    raise
                logger.warning("the database is away, the run waits: %s", _first_line(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, 15)

    def close(self) -> None:
        """Give the connection back."""
        if self._connection:
            self._connection.close()
            self._connection = None

    async def _write(self) -> None:
        try:
            while self._entries:
                enough = asyncio.get_running_loop().call_later(GATHER, self._gathered.set)
                await self._gathered.wait()
                enough.cancel()
                self._gathered.clear()
                entries, self._entries = self._entries, []
                await self._write_down(entries)
        finally:
            self._writer = None

    async def _write_down(self, entries: list[_Entry]) -> None:
        done = [outcome for entry in entries for outcome in entry.done]
        claims = [entry.claim for entry in entries if entry.claim]
        try:
            reasons = await self.again(lambda: self._settle_and_announce(done, claims))
        except BaseException as error:  # noqa: BLE001  whatever it was, it is the waiting lines' to raise
            for entry in entries:
                if not entry.answer.done():
                    entry.answer.set_exception(error)
            return
        for entry in entries:
            if not entry.answer.done():  # a line that was cancelled waits no more
                reason = reasons.get(entry.claim.id) if entry.claim else None
                entry.answer.set_result(TAKEN if reason is None else SKIPPED if reason else GO)

    def _settle_and_announce(self, done: Sequence[Outcome], claims: Sequence[Claim]) -> dict[int, str]:
        # Kept for all turns of a run: taking one from the pool costs a question to the server.
        self._connection = self._connection or connect(self._database.engine)
        if settlement.at_once(self._connection, done, claims, self._hold()):
            return dict.fromkeys((claim.id for claim in claims), "")
        return self._transact(
            lambda session, hold, now: settlement.one_by_one(session, done, claims, hold, now)
        )

    def _transact(self, work: Work[T]) -> T:
        with self._database.sessions.begin() as session:
            return work(session, self._hold(), self._clock())

    def _hold(self) -> Hold:
        return Hold(self._token, self._clock() + self._lease)


def _is_away(error: DBAPIError) -> bool:
    """Whether the database may come back: it is starting, full, locked or cannot be reached."""
    if isinstance(error.orig, sqlite3.Error):  # its OperationalError is a missing table as well
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _PASSING
    away = error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return away or getattr(error.orig, "sqlstate", "") == _READ_ONLY


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
