"""Time and peak memory of importing and exporting readers; run it with `PYTHONPATH=.`.

Imports a file of many readers, exports them, imports the export anew, then kills an import
half-way and repeats it. Each step is a process of its own, in a folder that is gone afterwards.
`--database URL` names a database without readers, to fill and empty in place of SQLite.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import sessionmaker

from core.database import migrate, open_engine
from core.schema import open_database
from core.settings import load_settings
from subscribers.csv_files import write_private
from subscribers.models import AccountEvent, Subscriber
from subscribers.transfer import RejectedRow, export_lines, import_subscribers

KEY = b"a key for measurements"
STEPS = ("import", "export")


def write_sample(path: Path, count: int) -> None:
    """A file of so many readers; one row in a hundred cannot be taken."""
    with path.open("w", encoding="utf-8") as file:
        file.write("email,language,frequency,name,confirmed_at\n")
        for number in range(count):
            language, frequency = ("ko", "en", "both")[number % 3], ("weekly", "daily")[number % 2]
            address = f"reader{number}@example{number % 500}.com" if number % 100 else f"reader{number}"
            file.write(f"{address},{language},{frequency},김민지 {number},2025-01-02T03:04:05+09:00\n")


def one_step(what: str, url: str, path: Path) -> None:
    """What a child process does: the step, then a line with what became of it, and its own figures."""
    begin = time.perf_counter()
    sessions = open_database(url).sessions
    if what == "import":
        report = import_subscribers(
            sessions, path, key=KEY, now=datetime.now(UTC), zone=load_settings().zone, on_refusal=_ignore
        )
        said = f"{report.added} added, {report.known} known, {report.refused} refused"
    else:
        said = f"{write_private(path, export_lines(sessions, everyone=False)) - 1} written"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"{time.perf_counter() - begin:6.1f} s  {peak:6.0f} MB at most  {said}\n")


def _ignore(_refusal: RejectedRow) -> None:
    pass


def child(what: str, url: str, path: Path) -> "subprocess.Popen[str]":
    """A step in a process of its own."""
    command = [sys.executable, __file__, "--step", what, "--url", url, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)


def run(title: str, what: str, url: str, path: Path) -> None:
    """One step, and its line."""
    out, _ = child(what, url, path).communicate()
    sys.stdout.write(f"{title:<34}{out or 'failed'}")
    sys.stdout.flush()


def kill_half_way(url: str, path: Path, half: int) -> None:
    """Begin an import and kill it once half of the readers are stored; nobody is stored by halves."""
    running = child("import", url, path)
    engine = create_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while (connection.scalar(select(func.count(Subscriber.id))) or 0) < half and running.poll() is None:
            time.sleep(0.05)
        running.kill()
        running.communicate()
        stored = connection.scalar(select(func.count(Subscriber.id)))
        events = connection.scalar(select(func.count(func.distinct(AccountEvent.subscriber_id))))
    sys.stdout.write(f"{'killed half-way':<34}{stored} stored, {events} with their event\n")
    engine.dispose()


def fresh(url: str) -> str:
    """The database of the address, without the readers of this sample."""
    engine = open_engine(url)
    migrate(engine)
    with sessionmaker(engine).begin() as session:
        session.query(AccountEvent).delete()
        session.query(Subscriber).delete()
    engine.dispose()
    return url


def refuse_readers(url: str) -> None:
    """Make sure that nobody's readers are in the database: they would be deleted."""
    engine = open_engine(url)
    migrate(engine)
    with engine.connect() as connection:
        if connection.scalar(select(func.count(Subscriber.id))):
            sys.exit("this database has readers: name one that has none")
    engine.dispose()


def main() -> None:
    """Print a line for each step."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--readers", type=int, default=100_000)
    arguments.add_argument("--database", metavar="URL", default="")
    arguments.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    arguments.add_argument("--url", help=argparse.SUPPRESS)
    arguments.add_argument("path", type=Path, nargs="?", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.step:
        one_step(given.step, given.url, given.path)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        outside = given.database.replace("postgresql://", "postgresql+psycopg://", 1)
        if outside:
            refuse_readers(outside)
        sample, small, exported = folder / "readers.csv", folder / "small.csv", folder / "exported.csv"
        write_sample(sample, given.readers)
        write_sample(small, given.readers // 10)
        run("a tenth of them, for comparison", "import", fresh(outside or f"sqlite:///{folder}/0.db"), small)
        url = fresh(outside or f"sqlite:///{folder}/1.db")
        run(f"{given.readers} rows", "import", url, sample)
        run("the same again", "import", url, sample)
        run("export", "export", url, exported)
        run("the export, elsewhere", "import", fresh(outside or f"sqlite:///{folder}/2.db"), exported)
        url = fresh(outside or f"sqlite:///{folder}/3.db")
        kill_half_way(url, sample, given.readers // 2)
        run("repeated after that", "import", url, sample)
        fresh(url)


if __name__ == "__main__":
    main()
