"""Checks the clock against those of the forum and the database server, and shows the time zone."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core.database import DatabaseError, open_engine
from delivery.context import Clock
from monitoring.findings import Finding, failed, ok, warning
from paperboy.doctor.tls import tls_context

NAME = "clock"
MAX_OFFSET = timedelta(seconds=60)
TIMEOUT_SECONDS = 4


def check(feed_url: str, database_url: str, zone: ZoneInfo, clock: Clock) -> Iterator[Finding]:
    """Check how far the clock differs from others, and say what time it is in the time zone."""
    read = {
        "the forum": _offset(_forum_time(feed_url), clock),
        "the database": _offset(_database_time(database_url), clock),
    }
    offsets = {other: offset for other, offset in read.items() if offset is not None}
    wrong = {other: offset for other, offset in offsets.items() if abs(offset) > MAX_OFFSET}
    if wrong:
        problem = "; ".join(_describe(offset, other) for other, offset in wrong.items())
        yield failed(NAME, problem, "synchronise the clocks of all machines with NTP: see `timedatectl`")
    elif offsets:
        yield ok(NAME, f"within {MAX_OFFSET.seconds} seconds of the clock of {' and '.join(offsets)}")
    else:
        yield warning(NAME, "there is no other clock to compare it with", "correct the feed first")
    local = clock().astimezone(zone)
    yield ok("time zone", f"{zone.key}, where it is {local:%A} {local:%H:%M} ({local:%z})")


def _offset(other_time: datetime | None, clock: Clock) -> timedelta | None:
    """How far another clock, which was read just now, is ahead of this one."""
    return other_time - clock() if other_time else None


def _describe(offset: timedelta, other: str) -> str:
    seconds = round(offset.total_seconds())
    if seconds > 0:
        return f"this machine is {seconds} seconds behind {other}"
    return f"this machine is {-seconds} seconds ahead of {other}"


def _forum_time(url: str) -> datetime | None:
    """The time in the Date field of the forum's response (RFC 9110, 6.6.1), whatever its status is."""
    try:
        response = httpx.head(url, timeout=TIMEOUT_SECONDS, trust_env=False, verify=tls_context())
        found = parsedate_to_datetime(response.headers.get("date", ""))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError):
        return None
    # The field is always in UTC, but Python returns a naive time for the zone "-0000".
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _database_time(url: str) -> datetime | None:
    """The time of the PostgreSQL server. An SQLite file has no clock of its own."""
    if not url.startswith("postgresql"):
        return None
    try:
        with closing(open_engine(url).connect()) as connection:
            found: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            return found
    except (DatabaseError, SQLAlchemyError):
        return None
