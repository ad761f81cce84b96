"""Measures the time and memory of planning a digest, and the time to claim a batch, as the outbox grows.

Run it with `python -m bench.planning`, or with `--sizes 1000 10000` for other numbers of subscribers. The subscribers
are in four groups with an edition each, and have had a mail in each of twelve slots. On PostgreSQL nothing analyzes the
tables after the last of these, so its statistics know nothing of the rows that are planned. Each ratio compares a size with the
first size on the same database; linear growth has a time per mail of 1.
"""

import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product

from sqlalchemy import Connection, text

from bench.databases import SLOT, add_history, add_subscribers, each_size, open_existing, plan_all
from bench.processes import in_new_process, peak_megabytes, show
from core.database import Database
from core.details import Detail
from core.languages import Language
from delivery import outbox
from delivery.claim_buffer import MAX_BATCH
from delivery.outbox import Lease

CLAIMED_BATCHES = 9  # their median counts
LEASE = timedelta(minutes=1)
SLOTS_OF_HISTORY = 12
GROUPS = tuple(product((Language.KO, Language.EN), Detail))


@dataclass(frozen=True)
class Measurement:
    """What planning took, and what claiming one batch took afterwards."""

    planned: int
    seconds: float
    peak_megabytes: float
    claim_seconds: float

    @property
    def seconds_per_mail(self) -> float:
        """The time of planning one mail."""
        return self.seconds / self.planned


def plan_and_claim(url: str) -> Measurement:
    """Plan a mail for every subscriber, then claim several batches."""
    database = open_existing(url)
    start = time.perf_counter()
    planned = plan_all(database, GROUPS)
    seconds = time.perf_counter() - start
    claims = [_seconds_to_claim(database, f"sender {number}") for number in range(CLAIMED_BATCHES)]
    return Measurement(planned, seconds, peak_megabytes(), statistics.median(claims))


def _seconds_to_claim(database: Database, token: str) -> float:
    now = datetime.now(UTC)
    start = time.perf_counter()
    with database.sessions.begin() as session:
        outbox.claim(
            session, SLOT, Lease(token, now + LEASE), now=now, repeat_uncertain=True, limit=MAX_BATCH
        )
    return time.perf_counter() - start


def prepare(database: Database, size: int) -> Connection | None:
    """Add the subscribers and their history. On PostgreSQL, returns the connection that keeps others from analyzing."""
    add_subscribers(database, size)
    with database.sessions.begin() as session:
        session.execute(
            text(
                "UPDATE subscribers SET language = CASE WHEN id % 2 = 0 THEN 'ko' ELSE 'en' END, "
                "detail = CASE WHEN id % 4 < 2 THEN 'full' ELSE 'brief' END"
            )
        )
    add_history(database, SLOTS_OF_HISTORY)
    if database.engine.dialect.name == "sqlite":
        return None
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    blocking = database.engine.connect()
    blocking.execute(text("LOCK TABLE deliveries IN SHARE UPDATE EXCLUSIVE MODE"))
    return blocking


def main() -> None:
    """Measure each kind of database at each size."""
    first: dict[str, Measurement] = {}
    for kind, url, size, database in each_size(__doc__, [100_000, 1_000_000]):
        blocking = prepare(database, size)
        measured = in_new_process(plan_and_claim, url)
        if blocking:
            blocking.close()
        database.engine.dispose()
        base = first.setdefault(kind, measured)
        show(
            f"{kind:10} {measured.planned:9,} planned in {measured.seconds:6.2f} s "
            f"({measured.seconds_per_mail / base.seconds_per_mail:4.2f} per mail)  "
            f"peak {measured.peak_megabytes:4.0f} MB ({measured.peak_megabytes / base.peak_megabytes:4.2f})  "
            f"{MAX_BATCH} claimed in {measured.claim_seconds * 1000:5.1f} ms "
            f"({measured.claim_seconds / base.claim_seconds:4.2f})"
        )


if __name__ == "__main__":
    main()
