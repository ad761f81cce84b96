"""Measures mails per second, processor time and memory of sending, compared with Postfix's smtp-source.

Run it with `python -m bench.sending`. Paperboy, on SQLite and on PostgreSQL, and smtp-source send mails of the same
length over ten connections to the same server, one after the other, several times; the result is the median.
The server is Postfix's smtp-sink. `--fast-sink FILE` adds a program that accepts mails faster than it, which is
called with a port. To measure the memory of a million mails, which takes a quarter of an hour:
`python -m bench.sending --mails 1000000 --runs 1 --no-smtp-sink --fast-sink FILE`.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.databases import add_subscribers, databases, message_bytes, open_empty, plan_all
from bench.processes import Usage, free_port, median_usage, plain_server, program_listening, run_senders, show

CONNECTIONS = 10


def run_paperboy(url: str, port: int, mails: int) -> tuple[Usage, int]:
    """Send the mails by Paperboy. Returns what it used, and the bytes of a mail."""
    database = open_empty(url)
    add_subscribers(database, mails)
    plan_all(database)
    size = message_bytes(database)
    database.engine.dispose()
    (usage,) = run_senders(1, url, plain_server(port), CONNECTIONS)
    return usage, size


def run_smtp_source(port: int, mails: int, size: int) -> float:
    """Send the mails by smtp-source. Returns the seconds that it took."""
    start = time.perf_counter()
    subprocess.run(
        [
            "smtp-source", "-d", "-s", str(CONNECTIONS), "-m", str(mails), "-l", str(size),
            "-f", "a@example.org", "-t", "b@example.org", f"127.0.0.1:{port}",
        ],
        check=True,
    )  # fmt: skip
    return time.perf_counter() - start


def compare(sink: str, port: int, urls: dict[str, str], mails: int, runs: int) -> None:
    """Send by each program in each run, and print the medians."""
    source_seconds: list[float] = []
    usages: dict[str, list[Usage]] = {kind: [] for kind in urls}
    size = 0
    for _ in range(runs):
        for kind, url in urls.items():
            usage, size = run_paperboy(url, port, mails)
            usages[kind].append(usage)
        source_seconds.append(run_smtp_source(port, mails, size))
    source = statistics.median(source_seconds)
    show(f"{sink:9}  smtp-source          {mails / source:6.0f} mails/s")
    for kind, measured in usages.items():
        usage = median_usage(measured)
        show(
            f"{sink:9}  Paperboy, {kind:10} {mails / usage.seconds:6.0f} mails/s  "
            f"{source / usage.seconds:4.2f} of smtp-source  "
            f"{usage.cpu_seconds / mails * 1000:5.3f} CPU s per 1,000 mails  peak {usage.peak_megabytes:4.0f} MB"
        )


def main() -> None:
    """Compare with each mail server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--fast-sink", type=Path, metavar="FILE")
    parser.add_argument("--smtp-sink", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    if not shutil.which("smtp-source"):
        sys.exit("smtp-source is missing: it comes with Debian's postfix")
    if not (arguments.smtp_sink or arguments.fast_sink):
        parser.error("--no-smtp-sink needs --fast-sink FILE")
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    sinks: dict[str, list[str]] = {}
    if arguments.smtp_sink:
        sinks["smtp-sink"] = ["smtp-sink", *user, "127.0.0.1:{}", "1000"]
    if arguments.fast_sink:
        sinks["fast sink"] = [str(arguments.fast_sink), "{}"]
    with databases() as urls:
        for name, command in sinks.items():
            port = free_port()
            with program_listening([part.format(port) for part in command], port):
                compare(name, port, urls, arguments.mails, arguments.runs)


if __name__ == "__main__":
    main()
