"""The metrics for Prometheus (subscribers, deliveries, bounces, runs), read at most twice a minute.

No value or label names a subscriber, an address or a mail domain.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from core.database import Database, read_only
from core.frequencies import Frequency
from core.run_log import RunKind, last_run
from delivery import queries, rate_limit
from delivery.bounce_log import bounces_by_kind
from issues.queries import count_held, feed_read_at, newest_publication
from subscribers.audience import count_by_kind

CACHE_SECONDS = 30  # counting a million subscribers takes a fraction of a second
BOUNCE_WINDOW = timedelta(days=7)
RUNS: tuple[tuple[RunKind, Frequency | None], ...] = (
    *((kind, None) for kind in RunKind if kind.max_time_between_runs and kind != RunKind.DIGEST),
    *((RunKind.DIGEST, frequency) for frequency in Frequency),
)


@dataclass(frozen=True)
class Metric:
    """What a metric tells, and the labels by which it is split."""

    what: str
    labels: tuple[str, ...] = ()


PREFIX = "paperboy_"  # what the names of all metrics begin with
METRICS = {
    "deliveries_under_way": Metric("Deliveries that are not settled yet.", ("state",)),
    "returned_mails": Metric("Bounce mails that came within seven days.", ("kind",)),
    "slow_domains": Metric("Mail domains that asked us to slow down."),
    "longest_pause_seconds": Metric("The longest pause between two mails to a slow domain."),
    "subscribers": Metric("Subscribers.", ("status", "language", "frequency", "detail")),
    "issues_held": Metric("Issues whose newest revision is held."),
    "newest_issue_timestamp_seconds": Metric("When the newest weekly post was published."),
    "feed_read_timestamp_seconds": Metric("When the feed gave its last good answer."),
    "last_run_timestamp_seconds": Metric(
        "When the last upkeep or digest finished, or the last ingest that found a changed feed.",
        ("kind", "frequency"),
    ),
    "last_run_results": Metric("The counts of that run.", ("kind", "frequency", "result")),
}


class MetricsCache:
    """The metrics as text. A reading serves all requests that come soon after it."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_DatabaseCollector(database, clock))
        self._lock = threading.Lock()
        self._text, self._read_at = b"", -float(CACHE_SECONDS)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        with self._lock:
            if time.monotonic() - self._read_at >= CACHE_SECONDS:
                self._text, self._read_at = generate_latest(self._registry), time.monotonic()
            return self._text


class _DatabaseCollector(Collector):
    """Reads the metrics when it is asked."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database, self._clock = database, clock

    def describe(self) -> list[Any]:
        """Nothing, so that registering the collector does not read the database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All metrics."""
        with read_only(self._database) as session:
            yield from _mails(session, self._clock())
            yield from _subscribers(session)
            yield from _issues(session)
            yield from _runs(session)


def _mails(session: Session, now: datetime) -> Iterator[GaugeMetricFamily]:
    under_way = queries.count_under_way(session).items()
    yield _family("deliveries_under_way", (([state], count) for state, count in under_way))
    bounces = bounces_by_kind(session, now - BOUNCE_WINDOW).items()
    yield _family("returned_mails", (([kind], count) for kind, count in bounces))
    domains, longest = rate_limit.throttled_domains(session)
    yield _family("slow_domains", [([], domains)])
    yield _family("longest_pause_seconds", [([], longest)])


def _subscribers(session: Session) -> Iterator[GaugeMetricFamily]:
    yield _family("subscribers", count_by_kind(session).items())


def _issues(session: Session) -> Iterator[GaugeMetricFamily]:
    yield _family("issues_held", [([], count_held(session))])
    for name, moment in (
        ("newest_issue_timestamp_seconds", newest_publication(session)),
        ("feed_read_timestamp_seconds", feed_read_at(session)),
    ):
        yield _family(name, [([], moment.timestamp())] if moment else [])


def _runs(session: Session) -> Iterator[GaugeMetricFamily]:
    finished: dict[tuple[str, ...], float] = {}
    results: dict[tuple[str, ...], float] = {}
    for kind, frequency in RUNS:
        run = last_run(session, kind, frequency)
        if run:
            key = (kind, frequency or "")
            finished[key] = run.finished_at.timestamp()
            results |= {(*key, name): count for name, count in _counts(run.result).items()}
    yield _family("last_run_timestamp_seconds", finished.items())
    yield _family("last_run_results", results.items())


def _counts(result: Mapping[str, Any]) -> dict[str, int]:
    counts = {name: len(value) if isinstance(value, list) else value for name, value in result.items()}
    return {name: count for name, count in counts.items() if type(count) is int}


def _family(name: str, values: Iterable[tuple[Sequence[str], float]]) -> GaugeMetricFamily:
    metric = METRICS[name]
    family = GaugeMetricFamily(f"{PREFIX}{name}", metric.what, labels=metric.labels)
    for key, value in values:
        family.add_metric(key, value)
    return family
