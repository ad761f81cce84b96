"""Measures the time and memory of importing and exporting subscribers.

Run it with `python -m bench.transfer`. It imports a file of many subscribers, exports them, imports the export into
an empty database, then kills an import half-way and repeats it. Each step is a process of its own; the ratio compares
its time per row with an import of a tenth of the rows. `--database URL` names a database without subscribers, which is
used in place of SQLite and is empty again afterwards.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, delete, func, select

from bench.processes import NEW_PROCESS, in_new_process, peak_megabytes, show
from core.database import open_engine
from core.schema import migrate, open_database
from subscribers.csv_files import write_private
from subscribers.models import AccountEvent, Subscriber
from subscribers.transfer import RejectedRow, export_lines, import_subscribers
from tests.support.factories import IDENTITY

INVALID_ROW_INTERVAL = 100  # every hundredth row has an address that cannot be used


@dataclass(frozen=True)
class Step:
    """What one step took, and what it did."""

    seconds: float
    peak_megabytes: float
    summary: str


def write_sample(path: Path, rows: int) -> Path:
    """Write a file of subscribers, some of whom cannot be imported."""
    with path.open("w", encoding="utf-8") as file:
        file.write("email,language,frequency,name,confirmed_at\n")
        for number in range(rows):
            language, frequency = ("ko", "en", "both")[number % 3], ("weekly", "daily")[number % 2]
            domain = f"@example{number % 500}.com" if number % INVALID_ROW_INTERVAL else ""
            file.write(
                f"reader{number}{domain},{language},{frequency},김민지 {number},2025-01-02T03:04:05+09:00\n"
            )
    return path


def import_file(url: str, path: Path) -> Step:
    """Import the file."""
    start = time.perf_counter()
    report = import_subscribers(
        open_database(url).sessions,
        path,
        key=IDENTITY.key,
        now=datetime.now(UTC),
        zone=UTC,
        on_rejected=_ignore,
    )
    summary = f"{report.added} added, {report.known} known, {report.refused} refused"
    return Step(time.perf_counter() - start, peak_megabytes(), summary)


def _ignore(_row: RejectedRow) -> None:
    pass


def export_file(url: str, path: Path) -> Step:
    """Export all subscribers to the file."""
    start = time.perf_counter()
    lines = write_private(path, export_lines(open_database(url).sessions, everyone=False))
    return Step(time.perf_counter() - start, peak_megabytes(), f"{lines - 1} written")


def kill_halfway(url: str, path: Path, half: int) -> str:
    """Kill an import once half of the subscribers are stored; each of them must have its account event."""
    process = NEW_PROCESS.Process(target=import_file, args=(url, path))
    process.start()
    engine = open_engine(url)
    while count_subscribers(engine) < half and process.is_alive():
        time.sleep(0.05)
    process.kill()
    process.join()
    stored = count_subscribers(engine)
    with engine.connect() as connection:
        with_event = connection.scalar(select(func.count(func.distinct(AccountEvent.subscriber_id))))
    engine.dispose()
    return f"{stored} stored, {with_event} with their account event"


def count_subscribers(engine: Engine) -> int:
    """How many subscribers are stored."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count(Subscriber.id))) or 0


def emptied(url: str) -> str:
    """The URL, after the sample's subscribers were deleted from the database."""
    engine = open_engine(url)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(delete(AccountEvent))
        connection.execute(delete(Subscriber))
    engine.dispose()
    return url


def refuse_used_database(url: str) -> None:
    """Exit if the database has subscribers, because they would be deleted."""
    engine = open_engine(url)
    migrate(engine)
    if count_subscribers(engine):
        sys.exit("this database has subscribers: name one that has none")
    engine.dispose()


def measure(folder: Path, given_url: str, rows: int) -> None:
    """Run all steps, and print a line for each."""
    base = 0.0

    def run(title: str, work: Callable[[str, Path], Step], url: str, path: Path, rows: int) -> None:
        nonlocal base
        step = in_new_process(work, url, path)
        base = base or step.seconds / rows
        show(
            f"{title:<32}{step.seconds:6.1f} s ({step.seconds / rows / base:4.2f} per row)  "
            f"peak {step.peak_megabytes:4.0f} MB  {step.summary}"
        )

    def database(number: int) -> str:
        return emptied(given_url or f"sqlite:///{folder}/{number}.db")

    tenth = write_sample(folder / "tenth.csv", rows // 10)
    sample, exported = write_sample(folder / "subscribers.csv", rows), folder / "exported.csv"
    run("import a tenth of the rows", import_file, database(0), tenth, rows // 10)
    url = database(1)
    run(f"import {rows} rows", import_file, url, sample, rows)
    run("import them again", import_file, url, sample, rows)
    run("export them", export_file, url, exported, rows)
    run("import the export elsewhere", import_file, database(2), exported, rows)
    url = database(3)
    show(f"{'import, killed half-way':<32}{kill_halfway(url, sample, rows // 2)}")
    run("import them after that", import_file, url, sample, rows)
    emptied(url)


def main() -> None:
    """Measure in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=100_000)
    parser.add_argument("--database", metavar="URL", default="")
    arguments = parser.parse_args()
    url = arguments.database.replace("postgresql://", "postgresql+psycopg://", 1)
    if url:
        refuse_used_database(url)
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), url, arguments.subscribers)


if __name__ == "__main__":
    main()
