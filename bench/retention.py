"""Measures the database over five simulated years of 50,000 weekly readers with retention on, by year, on both kinds of database.

Run it with `python -m bench.retention`, or with `--readers 5000 --years 3 --months 13`. The rows of each week are made set by
set, and upkeep's own retention runs after each week, as often as it needs. Building takes several minutes for each database.
"""

import argparse
import time
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import func, select, text

from bench.databases import databases, open_empty
from bench.histories import Week, add_readers, add_week
from bench.processes import show
from core.database import Database
from core.disk_space import database_size
from delivery.models import Delivery
from mailings.context import LONGEST_MONTH, MailingRules
from mailings.retention import run_retention
from tests.support.factories import RULES

WEEKS = 52  # of a year
MAX_UPKEEPS = 100  # a week has 672


@dataclass
class Effort:
    """What retention took in a year: how many upkeeps had something to do, their time, and the longest of them."""

    upkeeps: int = 0
    seconds: float = 0.0
    longest: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one upkeep."""
        self.upkeeps, self.seconds = self.upkeeps + 1, self.seconds + seconds
        self.longest = max(self.longest, seconds)


def simulate(kind: str, database: Database, readers: int, years: int, rules: MailingRules) -> None:
    """Let the years pass, and show the size at the end of each."""
    add_readers(database, readers)
    effort = Effort()
    for number in range(years * WEEKS):
        add_week(database, Week(number))
        _run_upkeeps(database, Week(number), rules, effort)
        if (number + 1) % WEEKS == 0:
            show(f"{kind:10} year {(number + 1) // WEEKS}: {_size(database)}; {_effort(effort)}")
            effort = Effort()


def _run_upkeeps(database: Database, week: Week, rules: MailingRules, effort: Effort) -> None:
    """Run retention as it is at the end of the week, until it has nothing more to do."""
    now = week.monday + timedelta(days=6)
    for _ in range(MAX_UPKEEPS):
        start = time.perf_counter()
        report = run_retention(database, now, rules)
        effort.add(time.perf_counter() - start)
        if not report.counted and not report.pruned.total():
            break


def _size(database: Database) -> str:
    if database.engine.dialect.name == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE deliveries"))  # autovacuum would have had a week for it
    with database.sessions() as session:
        size, rows = database_size(session), session.scalar(select(func.count()).select_from(Delivery))
    return f"{size.total / 1e6:,.0f} MB, of which {size.free / 1e6:,.0f} MB are free, and {rows:,} deliveries"


def _effort(effort: Effort) -> str:
    return f"{effort.upkeeps} upkeeps took {effort.seconds:.0f} s, the longest {effort.longest:.1f} s"


def main() -> None:
    """Simulate the years on each kind of database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=50_000)
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--months", type=int, default=13, help="of retention")
    parser.add_argument("--database", choices=["SQLite", "PostgreSQL"], action="append", help="only this one")
    arguments = parser.parse_args()
    rules = replace(RULES, retention=arguments.months * LONGEST_MONTH)
    with databases() as urls:
        for kind, url in urls.items():
            if kind not in (arguments.database or urls):
                continue
            simulate(kind, open_empty(url), arguments.readers, arguments.years, rules)


if __name__ == "__main__":
    main()
