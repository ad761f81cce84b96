"""Mails a second and processor time, beside Debian's smtp-source; run it with `PYTHONPATH=.:bench`.

Both send mails of the same length over ten connections to the same sinks, in turns; the figures are
medians. Paperboy keeps its ledger, in SQLite and in PostgreSQL, and each turn is a process of its own.
`--fastsink FILE` names a program that takes mails faster than smtp-sink; it is called with a port.
The memory for a million: `--mails 1000000 --turns 1 --no-smtp-sink --fastsink FILE`, a quarter of an hour.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.stage import (
    Figures,
    add_readers,
    bytes_of_a_mail,
    databases,
    emptied,
    figures_of,
    free_port,
    listening,
    plan_all,
    sender,
)

CONNECTIONS = 10


def paperboy(url: str, port: int, mails: int) -> tuple[Figures, int]:
    """Send so many mails; the figures, and the bytes of a mail."""
    database = emptied(url)
    add_readers(database, mails)
    plan_all(database)
    size = bytes_of_a_mail(database)
    database.engine.dispose()
    return figures_of(sender(url, port, CONNECTIONS)), size


def smtp_source(port: int, mails: int, size: int) -> float:
    """Seconds that smtp-source takes."""
    begin = time.perf_counter()
    subprocess.run(
        [
            "smtp-source", "-d", "-s", str(CONNECTIONS), "-m", str(mails), "-l", str(size),
            "-f", "a@example.org", "-t", "b@example.org", f"127.0.0.1:{port}",
        ],
        check=True,
    )  # fmt: skip
    return time.perf_counter() - begin


def diff(sink: str, port: int, urls: dict[str, str], mails: int, turns: int) -> None:
    """Send in turns, and say what came of it."""
    sources: list[float] = []
    ours: dict[str, list[Figures]] = {kind: [] for kind in urls}
    for _ in range(turns):
        for kind, url in urls.items():
            figures, size = paperboy(url, port, mails)
            ours[kind].append(figures)
        sources.append(smtp_source(port, mails, size))
    theirs = statistics.median(sources)
    sys.stdout.write(f"{sink:10} smtp-source {mails / theirs:6.0f} mails/s\n")
    for kind, runs in ours.items():
        seconds = statistics.median(run.seconds for run in runs)
        cpu = statistics.median(run.cpu for run in runs)
        peak = max(run.megabytes for run in runs)
        sys.stdout.write(
            f"{sink:10} {kind:11} {mails / seconds:6.0f} mails/s  {theirs / seconds:4.2f} of smtp-source  "
            f"{cpu / mails * 1000:5.3f} CPU s per 1,000  {peak:4.0f} MB at most\n"
        )


def main() -> None:
    """Compare at each sink."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--fastsink", type=Path)
    parser.add_argument("--smtp-sink", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    if not shutil.which("smtp-source"):
        sys.exit("smtp-source is missing: it comes with Debian's postfix")
    if not (arguments.smtp_sink or arguments.fastsink):
        parser.error("--no-smtp-sink needs --fastsink FILE")
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    sinks: dict[str, list[str]] = {}
    if arguments.smtp_sink:
        sinks["smtp-sink"] = ["smtp-sink", *user, "127.0.0.1:{}", "1000"]
    if arguments.fastsink:
        sinks["fastsink"] = [str(arguments.fastsink), "{}"]
    with databases() as urls:
        for name, command in sinks.items():
            port = free_port()
            with listening([part.format(port) for part in command], port):
                diff(name, port, urls, arguments.mails, arguments.turns)


if __name__ == "__main__":
    main()
