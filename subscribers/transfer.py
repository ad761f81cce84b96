"""Readers as CSV, in and out: a stream, so that memory does not grow with their number. Mails nobody.

What export writes, import reads.
"""

import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from itertools import islice
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.database import Sessions
from subscribers.accounts import (
    NAME_LENGTH,
    AccountError,
    before_latest_issue,
    check_choice,
    clean_line,
    forgotten_digest,
    normal_address,
)
from subscribers.csv_files import SURPLUS, read_rows, spell_row
from subscribers.models import AccountEvent, Forgotten, Subscriber, Suppression

BATCH = 1000  # rows that are stored, or read, in one transaction
READING = ("active", "paused")  # the statuses that come along
_NEEDED = ("email", "language", "frequency")
COLUMNS = (*_NEEDED, "name", "status", "paused_until", "confirmed_at", "created_at")


@dataclass(frozen=True)
class Refusal:
    """A row that was not taken, by its line in the file."""

    line: int
    reason: str


@dataclass
class ImportReport:
    """What became of the rows: `known` have a subscription, which stays as it is."""

    added: int = 0
    known: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Entry:
    """A row that can be a reader."""

    line: int
    email: str
    language: str
    frequency: str
    name: str
    status: str
    paused_until: date | None
    confirmed_at: datetime | None


# --- in -----------------------------------------------------------------------------


def import_readers(
    sessions: Sessions,
    path: Path,
    *,
    key: bytes,
    now: datetime,
    zone: tzinfo,
    on_refusal: Callable[[Refusal], None],
) -> ImportReport:
    """Store the readers of a CSV file, who agreed elsewhere; they begin with the latest issue.

    Batches are committed one by one: after a stop, a repeat stores what is missing. Times without
    a zone are those of `zone`. `key` finds those who asked to be forgotten.

    Raises:
        SheetError: the file is no CSV of readers; nothing is stored then.
    """
    for _ in read_rows(path, _NEEDED):
        pass  # what cannot be read to its end is not begun
    report = ImportReport()
    with closing(_Seen()) as seen:
        judged = (_judged(line, cells, seen, now, zone) for line, cells in read_rows(path, _NEEDED))
        while batch := list(islice(judged, BATCH)):
            entries = [found for found in batch if isinstance(found, Entry)]
            with sessions.begin() as session:
                refusals, added = _store(session, entries, path.name, key, now)
            refusals += [found for found in batch if isinstance(found, Refusal)]
            report.added += added
            report.known += len(batch) - added - len(refusals)
            report.refused += len(refusals)
            for refusal in sorted(refusals, key=lambda refusal: refusal.line):
                on_refusal(refusal)
    return report


def _judged(line: int, cells: dict[str, str], seen: "_Seen", now: datetime, zone: tzinfo) -> Entry | Refusal:
    try:
        entry = _entry(line, cells, now, zone)
    except AccountError as error:
        return Refusal(line, str(error))
    first = seen.first_line(entry.email.lower(), line)
    return entry if first == line else Refusal(line, f"the address is in line {first} already")


def _entry(line: int, cells: dict[str, str], now: datetime, zone: tzinfo) -> Entry:
    if cells[SURPLUS]:
        raise AccountError("there are more cells than columns")
    language, frequency = (cells.get(name, "").strip().lower() for name in ("language", "frequency"))
    check_choice(language, frequency)
    status = cells.get("status", "").strip().lower() or "active"
    if status not in READING:
        raise AccountError(f"the status is {status!r}: only those who read are taken, active or paused")
    return Entry(
        line,
        normal_address(cells["email"]),
        language,
        frequency,
        clean_line(cells.get("name", ""), NAME_LENGTH),
        status,
        _day(cells.get("paused_until", "")) if status == "paused" else None,
        _moment(cells.get("confirmed_at", ""), now, zone),
    )


def _moment(cell: str, now: datetime, zone: tzinfo) -> datetime | None:
    if not cell.strip():
        return None
    try:
        moment = datetime.fromisoformat(cell.strip())
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise AccountError(f"confirmed_at {cell.strip()!r} is no time like 2025-08-04T08:00+09:00") from None
    if not datetime(1990, 1, 1, tzinfo=UTC) <= moment <= now:
        raise AccountError(f"confirmed_at {cell.strip()!r} does not lie between 1990 and now")
    return moment


def _day(cell: str) -> date | None:
    try:
        return date.fromisoformat(cell.strip()) if cell.strip() else None
    except ValueError:
        raise AccountError(f"paused_until {cell.strip()!r} is no day like 2025-08-04") from None


def _store(
    session: Session, entries: Sequence[Entry], origin: str, key: bytes, now: datetime
) -> tuple[list[Refusal], int]:
    """Add those who are new and may be mailed; who may not, and how many were added."""
    wanted = {entry.email.lower(): entry for entry in entries}
    address = func.lower(Subscriber.email)
    known = set(session.scalars(select(address).where(address.in_(wanted))))
    reasons = {email: reason for email, reason in _barred(session, wanted, key) if email not in known}
    new = [entry for email, entry in wanted.items() if email not in known and email not in reasons]
    added = _add(session, new, origin, now) if new else 0
    return [Refusal(wanted[email].line, reason) for email, reason in reasons.items()], added


def _barred(session: Session, wanted: Collection[str], key: bytes) -> Iterator[tuple[str, str]]:
    """Those of the addresses that must not be mailed, and why."""
    for email in session.scalars(select(Suppression.email).where(Suppression.email.in_(wanted))):
        yield email, "mails to this address were returned or refused"
    digests = {forgotten_digest(key, email): email for email in wanted}
    for digest in session.scalars(select(Forgotten.digest).where(Forgotten.digest.in_(digests))):
        yield digests[digest], "its owner asked to be forgotten: only they can sign up again"


def _add(session: Session, entries: Sequence[Entry], origin: str, now: datetime) -> int:
    cursor = before_latest_issue(session)
    rows = [
        {
            "email": entry.email,
            "name": entry.name,
            "language": entry.language,
            "frequency": entry.frequency,
            "status": entry.status,
            "paused_until": entry.paused_until,
            "cursor": cursor,
            "handle": secrets.token_hex(8),
            "created_at": now,
            "confirmed_at": entry.confirmed_at or now,
        }
        for entry in entries
    ]
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    # One who signed up since the batch was looked up is left as they are, too.
    adding = dialect.insert(Subscriber).on_conflict_do_nothing().returning(Subscriber.id, Subscriber.email)
    added = session.execute(adding, rows).all()
    by_email = {entry.email: entry for entry in entries}
    events = [
        {"subscriber_id": id_, "at": now, "what": "imported", "detail": _detail(by_email[email], origin)}
        for id_, email in added
    ]
    if events:
        session.execute(insert(AccountEvent), events)
    return len(added)


def _detail(entry: Entry, origin: str) -> dict[str, str]:
    said = {"from": origin, "language": entry.language, "frequency": entry.frequency}
    return said | ({"agreed": entry.confirmed_at.isoformat()} if entry.confirmed_at else {})


class _Seen:
    """Which line named an address first; on disk as soon as it is large."""

    def __init__(self) -> None:
        self._table = sqlite3.connect("")  # a file without a name, gone when it is closed
        self._table.execute("CREATE TABLE seen (email TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")

    def first_line(self, email: str, line: int) -> int:
        """The first line of the address: this one, if it is new."""
        self._table.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (email, line))
        (first,) = self._table.execute("SELECT line FROM seen WHERE email = ?", (email,)).fetchone()
        return int(first)

    def close(self) -> None:
        """Drop it all."""
        self._table.close()


# --- out ----------------------------------------------------------------------------


def export_lines(sessions: Sessions, *, everyone: bool) -> Iterator[str]:
    """The lines of a CSV file (RFC 4180): its header, and all who read or `everyone` there is.

    No transaction is open between the lines: whoever takes them may be slow.
    """
    yield spell_row(COLUMNS)
    last = 0
    while page := _page(sessions, last, everyone=everyone):
        for subscriber in page:
            yield spell_row(_spelled(getattr(subscriber, name)) for name in COLUMNS)
        last = page[-1].id


def _page(sessions: Sessions, last: int, *, everyone: bool) -> Sequence[Subscriber]:
    rows = select(Subscriber).where(Subscriber.id > last).order_by(Subscriber.id).limit(BATCH)
    wanted = Subscriber.status != "forgotten" if everyone else Subscriber.status.in_(READING)
    with sessions() as session:
        return session.scalars(rows.where(wanted)).all()


def _spelled(cell: date | str | None) -> str:
    return cell.isoformat() if isinstance(cell, date) else cell or ""
