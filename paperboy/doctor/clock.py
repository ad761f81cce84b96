"""The clock, against those of the database and the forum, and the time zone."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core.database import DatabaseError, open_engine
from delivery.sender import Clock
from paperboy.doctor.findings import Finding, failed, ok, warning
from paperboy.doctor.trust import trusted

NAME = "clock"
MOST = timedelta(seconds=60)


def check(feed_url: str, database_url: str, zone: ZoneInfo, clock: Clock) -> Iterator[Finding]:
    """How far our clock is from others', and what time it is in the time zone."""
    read = {
        "the forum": _ahead(_forum_time(feed_url), clock),
        "the database": _ahead(_database_time(database_url), clock),
    }
    differences = {whose: ahead for whose, ahead in read.items() if ahead is not None}
    off = {whose: ahead for whose, ahead in differences.items() if abs(ahead) > MOST}
    if off:
        said = ", ".join(f"{_spell(ahead)} {whose}'s" for whose, ahead in off.items())
        yield failed(NAME, said, "keep the time of all machines by NTP: see `timedatectl`")
    elif differences:
        yield ok(NAME, f"within {MOST.seconds} seconds of {' and '.join(differences)}'s")
    else:
        yield warning(NAME, "no other clock could be read", "mend the feed first")
    yield ok("time zone", f"{zone.key}, where it is {clock().astimezone(zone):%A %H:%M (%z)}")


def _ahead(theirs: datetime | None, clock: Clock) -> timedelta | None:
    """How far another clock, read just now, is ahead of ours."""
    return theirs - clock() if theirs else None


def _spell(ahead: timedelta) -> str:
    seconds = round(ahead.total_seconds())
    return f"{seconds} seconds behind" if seconds > 0 else f"{-seconds} seconds ahead of"


def _forum_time(url: str) -> datetime | None:
    """The Date of an answer (RFC 9110, 6.6.1), whatever else it says."""
    try:
        answer = httpx.head(url, timeout=4, trust_env=False, verify=trusted())
        found = parsedate_to_datetime(answer.headers.get("date", ""))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _database_time(url: str) -> datetime | None:
    """The database server's time; an SQLite file has none of its own."""
    if not url.startswith("postgresql"):
        return None
    try:
        with closing(open_engine(url).connect()) as connection:
            found: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            return found
    except (DatabaseError, SQLAlchemyError):
        return None
