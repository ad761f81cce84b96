"""Time and memory of planning, and the time to claim a batch, by the size of the outbox; run it with `PYTHONPATH=.:bench`.

Each database is filled anew for each size; planning is a process of its own.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import sessionmaker

from bench.stage import SLOT, add_readers, each_size, plan_all
from core.database import Database, open_engine
from delivery import outbox
from delivery.claim_buffer import MAX_BATCH
from delivery.outbox import Lease

CLAIMS = 9  # batches, of which the median counts


def plan_and_claim(url: str) -> None:
    """What a child process does: plan for all readers, claim batches, then a line of figures as JSON."""
    engine = open_engine(url)
    database = Database(engine, sessionmaker(engine, expire_on_commit=False))
    begin = time.perf_counter()
    planned = plan_all(database)
    seconds = time.perf_counter() - begin
    claims = [_claim(database, str(number)) for number in range(CLAIMS)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps([planned, seconds, peak, statistics.median(claims)]))


def _claim(database: Database, holder: str) -> float:
    now = datetime.now(UTC)
    begin = time.perf_counter()
    with database.sessions.begin() as session:
        outbox.claim(
            session,
            SLOT,
            Lease(holder, now + timedelta(minutes=1)),
            now=now,
            repeat_uncertain=True,
            limit=MAX_BATCH,
        )
    return time.perf_counter() - begin


def main() -> None:
    """Measure each database at each size."""
    for kind, url, size, database in each_size(__doc__):
        add_readers(database, size)
        database.engine.dispose()
        program = f"from planning import plan_and_claim; plan_and_claim({url!r})"
        done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
        planned, seconds, peak, claim = json.loads(done.stdout)
        sys.stdout.write(
            f"{kind:11} {planned:9,} planned in {seconds:6.2f} s  {peak:4.0f} MB at most  "
            f"{MAX_BATCH} claimed in {claim * 1000:5.1f} ms\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
