"""Measures what operators and subscribers ask with ten million deliveries: the time beyond the start of a command.

Run it with `python -m bench.queries`, or with `--readers 1000 --weeks 20` for fewer deliveries. Building the databases takes
several minutes and 4 GB of disk for each. Each time is the median of three, after one that fills the caches; the digest of the
last week was sent a day ago, and everything older is counted, as upkeep does it.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import get_args

from sqlalchemy import select, text

from bench.databases import databases, open_empty, open_existing
from bench.histories import Week, add_readers, add_week
from bench.processes import in_new_process, show
from core.database import Database
from core.run_log import latest_runs
from delivery.counts import count_by_state
from delivery.states import DeliveryState
from issues.queries import all_issues, find
from mailings.resend.plan import plan_resend
from mailings.resend.request import ResendGroup, ResendRequest
from mailings.retention import run_retention
from monitoring.attention import attention_items
from monitoring.history import history_of_subscriber, mails_of_issue, newest_mails
from monitoring.overview import read_overview
from monitoring.prometheus import MetricsCache
from monitoring.statistics import Choice, latest_slots, subscribers_by_week
from paperboy.admin.mails import DELIVERIES_PER_PAGE
from subscribers.audience import count_by_kind
from subscribers.models import Subscriber
from tests.support.factories import IDENTITY, RULES

REPEATS = 3
NEVER = timedelta(days=36_500)


def build(url: str, readers: int, weeks: int) -> None:
    """Make the database, with nothing pruned."""
    database = open_empty(url)
    add_readers(database, readers)
    for number in range(weeks):
        add_week(database, Week(number))
    if database.engine.dialect.name == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    database.engine.dispose()


def count_all(url: str, now: datetime) -> float:
    """Let upkeep count what is settled. Returns how many seconds that took."""
    start = time.perf_counter()
    run_retention(open_existing(url), now, replace(RULES, retention=NEVER), max_seconds=3_600)
    return time.perf_counter() - start


def measure(url: str, weeks: int, now: datetime) -> dict[str, float]:
    """The median time of each question, in seconds."""
    database = open_existing(url)
    return {name: _median_seconds(work) for name, work in _questions(database, weeks, now).items()}


def _median_seconds(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def _questions(database: Database, weeks: int, now: datetime) -> dict[str, Callable[[], object]]:
    newest, old = (f"{Week(number).monday.date() - timedelta(weeks=1)}" for number in (weeks - 1, weeks // 2))
    questions: dict[str, Callable[[], object]] = {
        "status": lambda: _status(database, now),
        "overview page": lambda: _overview(database, now),
        "show ISSUE, the newest": lambda: _show_issue(database, newest),
        "show ISSUE, an old one": lambda: _show_issue(database, old),
        "show EMAIL": lambda: _show_subscriber(database),
        "statistics page": lambda: _statistics(database, now),
        "/metrics": MetricsCache(database, lambda: now).text,
        "mails page": lambda: _mails(database, None),
        "mails page, failed": lambda: _mails(database, DeliveryState.FAILED),
        "mails page, uncertain": lambda: _mails(database, DeliveryState.UNCERTAIN),
        "mails page, planned": lambda: _mails(database, DeliveryState.PLANNED),
    }
    for group in ResendGroup:
        questions[f"resend --dry-run --group {group}"] = lambda group=group: _plan(
            database, newest, group, now
        )  # type: ignore[misc]
    return questions


def _status(database: Database, now: datetime) -> None:
    with database.sessions() as session:
        read_overview(session, now)
        attention_items(session, now, 5)
        all_issues(session)
        count_by_kind(session)
        count_by_state(session)
        latest_runs(session, 3)


def _overview(database: Database, now: datetime) -> None:
    with database.sessions() as session:
        read_overview(session, now)
        attention_items(session, now, 5)
        all_issues(session)
        latest_runs(session, 3)


def _show_issue(database: Database, name: str) -> None:
    with database.sessions() as session:
        assert mails_of_issue(session, find(session, name))  # noqa: S101


def _show_subscriber(database: Database) -> None:
    with database.sessions() as session:
        history_of_subscriber(session, session.scalars(select(Subscriber).limit(1)).one())


def _mails(database: Database, state: DeliveryState | None) -> None:
    with database.sessions() as session:
        newest_mails(session, DELIVERIES_PER_PAGE, state=state)


def _statistics(database: Database, now: datetime) -> None:
    with database.sessions() as session:
        latest_slots(session)
        for choice in get_args(Choice):
            subscribers_by_week(session, choice, now)


def _plan(database: Database, issue: str, group: ResendGroup, now: datetime) -> None:
    with database.sessions() as session:
        plan_resend(session, ResendRequest(issue=issue, groups=(group,)), IDENTITY, now)


def main() -> None:
    """Measure both kinds of database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=50_000)
    parser.add_argument("--weeks", type=int, default=200)
    parser.add_argument("--url", help="a database that is there already, in place of new ones")
    arguments = parser.parse_args()
    now = Week(arguments.weeks - 1).monday + timedelta(days=1)
    if arguments.url:
        _show("database", arguments.url, arguments.weeks, now)
        return
    with databases() as urls:
        for kind, url in urls.items():
            build(url, arguments.readers, arguments.weeks)
            _show(kind, url, arguments.weeks, now)


def _show(kind: str, url: str, weeks: int, now: datetime) -> None:
    show(f"{kind}: counted in {in_new_process(count_all, url, now):.1f} s")
    for name, seconds in in_new_process(measure, url, weeks, now).items():
        show(f"{kind:10} {name:38} {seconds * 1000:9,.0f} ms")


if __name__ == "__main__":
    main()
