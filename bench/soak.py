"""Draws histories of a newsletter for as long as one likes, and looks for one in which a paper is lost or repeated.

Run it with `make soak ARGS="--minutes 60"`. Each history is drawn from the same rules as in the tests: subscribers,
editors, operators, the clock, the mail server and crashes act on the real pipeline. At the end it says how often each
rule and each pair of rules ran. When a history fails, it is made as small as possible, printed, and the exit code is 1.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.databases import databases
from bench.processes import show
from core.database import Database
from core.schema import open_database
from tests.support.new_databases import (
    copy_sqlite,
    make_postgresql_template,
    make_sqlite_template,
    temporary_databases,
)
from tests.support.simulation.coverage import Coverage
from tests.support.simulation.histories import new_coverage, run_histories

HISTORIES_PER_SEED = 20
STEPS = 50


def main() -> None:
    """Draw histories until the time is over or one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="for each kind of database")
    parser.add_argument("--database", choices=["SQLite", "PostgreSQL"], action="append", help="only this one")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first histories")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    with databases() as urls:
        for kind, url in urls.items():
            if kind in (arguments.database or urls):
                coverage = _soak(kind, url, arguments.seed, arguments.minutes * 60)
                show(f"{kind}: {coverage.summary()}\n{coverage.table()}")


def _soak(kind: str, server: str, seed: int, seconds: float) -> Coverage:
    end = time.monotonic() + seconds
    coverage = new_coverage()
    while time.monotonic() < end:
        with _new_databases(kind, server) as new_url:
            _draw(lambda: open_database(new_url()), kind, seed, coverage)
        show(f"{kind}, seed {seed}: {coverage.summary()}")
        seed += 1
    return coverage


def _draw(open_new: Callable[[], Database], kind: str, seed: int, coverage: Coverage) -> None:
    try:
        run_histories(open_new, coverage, histories=HISTORIES_PER_SEED, steps=STEPS, seed_number=seed)
    except Exception as error:  # noqa: BLE001  whatever a history raises is what the soak looks for
        show(f"{kind}, seed {seed}, after {coverage.histories} histories: {type(error).__name__}: {error}")
        # Threads can make a failure depend on timing. Then Hypothesis shows no history, and the rules' names must do.
        notes = getattr(error, "__notes__", ()) or ("the last failure: " + ", ".join(coverage.last_failure),)
        show("\n".join(notes))
        sys.exit(1)


@contextmanager
def _new_databases(kind: str, server: str) -> Iterator[Callable[[], str]]:
    """A function that creates a database and returns its URL."""
    with (
        tempfile.TemporaryDirectory(prefix="paperboy-soak-") as folder,
        temporary_databases(server) as new_postgresql,
    ):
        if kind == "SQLite":
            template = make_sqlite_template(Path(folder))
            yield lambda: copy_sqlite(template, Path(folder))
        else:
            name = make_postgresql_template(server)
            yield lambda: new_postgresql(name)


if __name__ == "__main__":
    main()
