"""Measures the time and memory of planning a digest, and the time to claim a batch, as the outbox grows.

Run it with `python -m bench.planning`, or with `--sizes 1000 10000` for other numbers of subscribers. Each ratio
compares a size with the first size on the same database; linear growth has a time per mail of 1.
"""

import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.databases import SLOT, add_subscribers, each_size, open_existing, plan_all
from bench.processes import in_new_process, peak_megabytes, show
from core.database import Database
from delivery import outbox
from delivery.claim_buffer import MAX_BATCH
from delivery.outbox import Lease

CLAIMED_BATCHES = 9  # their median counts
LEASE = timedelta(minutes=1)


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
    planned = plan_all(database)
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


def main() -> None:
    """Measure each kind of database at each size."""
    first: dict[str, Measurement] = {}
    for kind, url, size, database in each_size(__doc__):
        add_subscribers(database, size)
        database.engine.dispose()
        measured = in_new_process(plan_and_claim, url)
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
