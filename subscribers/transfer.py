"""Import and export of subscribers as CSV. Both are streams, so memory does not grow. Neither mails anybody.

Import reads what export writes.
"""

import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from itertools import islice
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.database import Sessions
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from subscribers.addresses import MAX_NAME_LENGTH, AccountError, clean_line, normal_address
from subscribers.choices import parse_choice
from subscribers.csv_files import CsvRow, format_row, read_rows
from subscribers.erasure import address_hash
from subscribers.first_papers import cursor_before_latest_issue
from subscribers.models import AccountEvent, ForgottenAddress, Subscriber, Suppression
from subscribers.status import SUBSCRIBED, SubscriberStatus

ROWS_PER_TRANSACTION = 1000
EARLIEST_CONFIRMATION = datetime(1990, 1, 1, tzinfo=UTC)
_REQUIRED = ("email", "language", "frequency")
COLUMNS = (*_REQUIRED, "detail", "name", "status", "paused_until", "confirmed_at", "created_at")


@dataclass(frozen=True)
class ImportLayout:
    """How a file differs from what export writes.

    `defaults` are the values of columns that are missing, and of empty cells. `renamed` gives the file's columns, in lower
    case, the names that are expected.
    """

    defaults: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)


EXPORTED = ImportLayout()


@dataclass(frozen=True)
class RejectedRow:
    """A row that was not imported, by its line in the file."""

    line: int
    reason: str


@dataclass
class ImportReport:
    """What became of the rows; the `known` already have a subscription, which stays as it is."""

    added: int = 0
    known: int = 0
    refused: int = 0


@dataclass(frozen=True)
class ImportRow:
    """A row that can become a subscriber."""

    line: int
    email: str
    language: Language
    frequency: Frequency
    detail: Detail
    name: str
    status: SubscriberStatus
    paused_until: date | None
    confirmed_at: datetime | None


# --- import -------------------------------------------------------------------------


def import_subscribers(
    sessions: Sessions,
    path: Path,
    *,
    key: bytes,
    now: datetime,
    zone: tzinfo,
    on_rejected: Callable[[RejectedRow], None],
    layout: ImportLayout = EXPORTED,
) -> ImportReport:
    """Store the subscribers of a CSV file, who agreed elsewhere. The latest issue is unread for them.

    Batches are committed one by one, so after an interruption a repetition stores the rest. Times without a
    zone are in `zone`. `key` recognises those who asked to be forgotten. `layout` says how the file differs from what
    export writes.

    Raises:
        CsvError: the file is not a CSV file of subscribers. Nothing is stored then.
    """
    required = [name for name in _REQUIRED if name not in layout.defaults]
    for _ in read_rows(path, required, layout.renamed):
        pass  # a file that cannot be read to its end is not imported in part
    report = ImportReport()
    with closing(_SeenAddresses()) as seen:
        rows_of_file = read_rows(path, required, layout.renamed)
        checked = (_check_row(row, layout.defaults, seen, now, zone) for row in rows_of_file)
        while batch := list(islice(checked, ROWS_PER_TRANSACTION)):
            rows = [found for found in batch if isinstance(found, ImportRow)]
            with sessions.begin() as session:
                rejected, added = _store(session, rows, path.name, key, now)
            rejected += [found for found in batch if isinstance(found, RejectedRow)]
            report.added += added
            report.known += len(batch) - added - len(rejected)
            report.refused += len(rejected)
            for row in sorted(rejected, key=lambda row: row.line):
                on_rejected(row)
    return report


def _check_row(
    found: CsvRow, defaults: Mapping[str, str], seen: "_SeenAddresses", now: datetime, zone: tzinfo
) -> ImportRow | RejectedRow:
    line = found.line
    try:
        row = _parse_row(found, defaults, now, zone)
    except AccountError as error:
        return RejectedRow(line, str(error))
    first = seen.first_line(row.email.lower(), line)
    return row if first == line else RejectedRow(line, f"the address is in line {first} already")


def _parse_row(row: CsvRow, defaults: Mapping[str, str], now: datetime, zone: tzinfo) -> ImportRow:
    if row.problem or row.surplus:
        raise AccountError(row.problem or "there are more cells than columns")
    cells = {**defaults, **{name: cell for name, cell in row.cells.items() if cell.strip()}}
    language = parse_choice(Language, cells.get("language", "").strip().lower())
    frequency = parse_choice(Frequency, cells.get("frequency", "").strip().lower())
    detail = parse_choice(Detail, cells.get("detail", "").strip().lower() or Detail.FULL)
    status = cells.get("status", "").strip().lower() or SubscriberStatus.ACTIVE
    if status not in SUBSCRIBED:
        raise AccountError(f"the status is {status!r}: only active and paused subscribers are imported")
    return ImportRow(
        row.line,
        normal_address(cells.get("email", "")),
        language,
        frequency,
        detail,
        clean_line(cells.get("name", ""), MAX_NAME_LENGTH),
        SubscriberStatus(status),
        _parse_day(cells.get("paused_until", "")) if status == SubscriberStatus.PAUSED else None,
        _parse_confirmation(cells.get("confirmed_at", ""), now, zone),
    )


def _parse_confirmation(cell: str, now: datetime, zone: tzinfo) -> datetime | None:
    if not cell.strip():
        return None
    try:
        confirmed_at = datetime.fromisoformat(cell.strip())
        confirmed_at = (
            confirmed_at if confirmed_at.tzinfo else confirmed_at.replace(tzinfo=zone)
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        raise AccountError(
            f"confirmed_at {cell.strip()!r} is not a time like 2025-08-04T08:00+09:00"
        ) from None
    if not EARLIEST_CONFIRMATION <= confirmed_at <= now:
        raise AccountError(f"confirmed_at {cell.strip()!r} is not between 1990 and now")
    return confirmed_at


def _parse_day(cell: str) -> date | None:
    try:
        return date.fromisoformat(cell.strip()) if cell.strip() else None
    except ValueError:
        raise AccountError(f"paused_until {cell.strip()!r} is not a day like 2025-08-04") from None


def _store(
    session: Session, rows: Sequence[ImportRow], origin: str, key: bytes, now: datetime
) -> tuple[list[RejectedRow], int]:
    """Add the rows that are new and may be mailed. Returns those that may not, and how many were added."""
    wanted = {row.email.lower(): row for row in rows}
    address = func.lower(Subscriber.email)
    known = set(session.scalars(select(address).where(address.in_(wanted))))
    reasons = {email: reason for email, reason in _barred(session, wanted, key) if email not in known}
    new = [row for email, row in wanted.items() if email not in known and email not in reasons]
    added = _add(session, new, origin, now) if new else 0
    return [RejectedRow(wanted[email].line, reason) for email, reason in reasons.items()], added


def _barred(session: Session, wanted: Collection[str], key: bytes) -> Iterator[tuple[str, str]]:
    """The addresses that must not be mailed, each with the reason."""
    for email in session.scalars(select(Suppression.email).where(Suppression.email.in_(wanted))):
        yield email, "mails to this address were returned or refused"
    hashes = {address_hash(key, email): email for email in wanted}
    forgotten = select(ForgottenAddress.address_hash).where(ForgottenAddress.address_hash.in_(hashes))
    for found in session.scalars(forgotten):
        yield hashes[found], "its owner asked to be forgotten: only they can sign up again"


def _add(session: Session, rows: Sequence[ImportRow], origin: str, now: datetime) -> int:
    cursor = cursor_before_latest_issue(session)
    values = [
        {
            "email": row.email,
            "name": row.name,
            "language": row.language,
            "frequency": row.frequency,
            "detail": row.detail,
            "status": row.status,
            "paused_until": row.paused_until,
            "cursor": cursor,
            "handle": secrets.token_hex(8),
            "created_at": now,
            "confirmed_at": row.confirmed_at or now,
        }
        for row in rows
    ]
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    # Somebody may have signed up since the addresses were looked up; their row stays as it is, too.
    adding = dialect.insert(Subscriber).on_conflict_do_nothing().returning(Subscriber.id, Subscriber.email)
    added = session.execute(adding, values).all()
    by_email = {row.email: row for row in rows}
    events = [
        {
            "subscriber_id": id_,
            "at": now,
            "what": "imported",
            "detail": _event_detail(by_email[email], origin),
        }
        for id_, email in added
    ]
    if events:
        session.execute(insert(AccountEvent), events)
    return len(added)


def _event_detail(row: ImportRow, origin: str) -> dict[str, str]:
    choices = {"language": row.language, "frequency": row.frequency, "detail": row.detail}
    return {"from": origin} | choices | ({"agreed": row.confirmed_at.isoformat()} if row.confirmed_at else {})


class _SeenAddresses:
    """Remembers which line named an address first, on disk as soon as there are many."""

    def __init__(self) -> None:
        self._table = sqlite3.connect("")  # an unnamed temporary file that is deleted when it is closed
        self._table.execute("CREATE TABLE seen (email TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")

    def first_line(self, email: str, line: int) -> int:
        """The first line with the address; `line` itself if the address is new."""
        self._table.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (email, line))
        (first,) = self._table.execute("SELECT line FROM seen WHERE email = ?", (email,)).fetchone()
        return int(first)

    def close(self) -> None:
        """Delete everything."""
        self._table.close()


# --- export -------------------------------------------------------------------------


def export_lines(sessions: Sessions, *, everyone: bool) -> Iterator[str]:
    """The lines of a CSV file (RFC 4180): a header, then all who are subscribed, or `everyone`.

    No transaction is open between two lines, because the consumer may be slow.
    """
    yield format_row(COLUMNS)
    last_id = 0
    while batch := _next_batch(sessions, last_id, everyone=everyone):
        for subscriber in batch:
            yield format_row(_format_cell(getattr(subscriber, name)) for name in COLUMNS)
        last_id = batch[-1].id


def _next_batch(sessions: Sessions, last_id: int, *, everyone: bool) -> Sequence[Subscriber]:
    rows = (
        select(Subscriber).where(Subscriber.id > last_id).order_by(Subscriber.id).limit(ROWS_PER_TRANSACTION)
    )
    wanted = (
        Subscriber.status != SubscriberStatus.FORGOTTEN if everyone else Subscriber.status.in_(SUBSCRIBED)
    )
    with sessions() as session:
        return session.scalars(rows.where(wanted)).all()


def _format_cell(cell: date | str | None) -> str:
    return cell.isoformat() if isinstance(cell, date) else cell or ""
