"""Counts mails that are lost or repeated when senders are killed, at every crash point and at random moments.

Run it with `python -m bench.kills`. On SQLite and PostgreSQL, with one and with two senders at once, a thousand
subscribers are mailed while senders are killed by SIGKILL and replaced, ten times at each crash point. Others get SIGTERM, are
stopped past their lease, lose their sessions, or lose the whole database server. Each line shows
one crash point: `repeated` mails arrived twice, `uncertain` ones were marked as such, and `unknown` ones were hit by a
second kill while they were repeated, so nobody repeats them again. The exit code is 1 if a mail is lost, if it is
repeated without having been marked as uncertain, or if it is repeated too often.
"""

import argparse
import logging
import sys

from bench.databases import databases, open_empty
from bench.processes import show
from tests.support.crash_points import (
    DATABASE_KILLED,
    POINTS,
    RANDOM,
    SESSIONS_ENDED,
    STOPPED,
    TERMINATION,
)
from tests.support.kill_report import KillReport
from tests.support.kills import kill_at

SENDERS = (1, 2)
DISTURBANCES = (TERMINATION, STOPPED, SESSIONS_ENDED, DATABASE_KILLED)
COLUMNS = ("kills", "lost", "repeated", "uncertain", "unknown")


def show_row(title: str, report: KillReport) -> None:
    """Print one row of the table, and a line for each fault."""
    counts = (report.kills.total(), report.lost, report.repeated, report.uncertain, report.unknown)
    show(f"{title:<50}" + "".join(f"{count:>10}" for count in counts))
    for fault, count in report.faults.items():
        show(f"  WRONG, {count} times: {fault}")


def main() -> None:
    """Print a table for each kind of database and each number of senders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10, help="at each crash point")
    parser.add_argument("--random", type=int, default=200, help="kills at random moments, in all")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # on SQLite each sender that waits for another one says so
    total = KillReport()
    with databases() as urls:
        for url in urls.values():
            open_empty(url).engine.dispose()
        cases = [(kind, url, senders) for kind, url in urls.items() for senders in SENDERS]
        random_kills = arguments.random // len(cases)
        scenarios = [[point] * arguments.kills for point in POINTS]
        scenarios += [[RANDOM] * arguments.kills] * (random_kills // arguments.kills)
        for kind, url, senders in cases:
            heading = f"{kind}, {senders} {'sender' if senders == 1 else 'senders at once'}"
            show(f"\n{heading:<50}" + "".join(f"{column:>10}" for column in COLUMNS))
            subtotal = KillReport()
            others = DISTURBANCES if kind == "PostgreSQL" else DISTURBANCES[:2]
            disturbed = [[point] * arguments.kills for point in others]
            for number, points in enumerate([*scenarios, *disturbed]):
                report = kill_at(
                    url,
                    points,
                    subscribers=arguments.subscribers,
                    senders=senders,
                    seed=arguments.seed + number,
                )
                show_row(points[0].name, report)
                subtotal += report
            show_row("all of them", subtotal)
            total += subtotal
    show("")
    show_row("in all", total)
    show(f"{total.repeated / max(total.kills.total(), 1):.2f} mails were repeated per kill")
    sys.exit(bool(total.lost or total.faults))


if __name__ == "__main__":
    main()
