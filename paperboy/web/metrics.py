"""`/metrics`: how things stand, in Prometheus' text format, read from the database at most twice a minute.

No value or label names a reader, an address or a mail domain.
"""

import hmac
import ipaddress
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from pydantic import SecretStr
from sqlalchemy.orm import Session

from core.database import Database, reading
from core.run_log import newest_run
from delivery import queries, rate_limit
from delivery.sender import Clock
from issues.store import count_held, feed_read_at, newest_publication
from paperboy.web.deps import AtDesk
from subscribers.audience import count_by_kind

router = APIRouter()

KEPT = 30  # seconds that a reading serves: to count a million readers takes a part of one
WEEK = timedelta(days=7)
RUNS = (("upkeep", ""), ("ingest", ""), ("digest", "weekly"), ("digest", "daily"))


class Scrape:
    """What a scrape gets; the last reading serves those that come soon after it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Standing(database, clock))
        self._lock = threading.Lock()
        self._text, self._read_at = b"", -float(KEPT)

    def text(self) -> bytes:
        """All metrics as text."""
        with self._lock:
            if time.monotonic() - self._read_at >= KEPT:
                self._text, self._read_at = generate_latest(self._registry), time.monotonic()
            return self._text


def scrape_of(request: Request) -> Scrape:
    """That of the app."""
    scrape: Scrape = request.app.state.scrape
    return scrape


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request, desk: AtDesk, scrape: Annotated[Scrape, Depends(scrape_of)]) -> Response:
    """The metrics, for those who may read them; nothing at all for anybody else."""
    if not _may_read(request, desk.settings.metrics_token):
        raise HTTPException(404)
    return Response(scrape.text(), headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})


def _may_read(request: Request, token: SecretStr | None) -> bool:
    """Whether a request brings the token or, where none is set, comes from a private network by itself."""
    if token:
        given = request.headers.get("authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {token.get_secret_value()}".encode())
    if "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False  # by a proxy, for somebody who may be anywhere
    try:
        peer = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    mapped = peer.ipv4_mapped if isinstance(peer, ipaddress.IPv6Address) else None
    return (mapped or peer).is_private


class _Standing(Collector):
    """Reads how things stand when it is asked."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def describe(self) -> list[Any]:
        """Nothing: to be registered reads no database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All that is told."""
        with reading(self._database) as session:
            yield from _mails(session, self._clock())
            yield from _readers(session)
            yield from _issues(session)
            yield from _runs(session)


def _mails(session: Session, now: datetime) -> Iterator[GaugeMetricFamily]:
    under_way = [([state], count) for state, count in queries.under_way(session).items()]
    yield _family("deliveries_under_way", "Deliveries not settled yet.", ["state"], under_way)
    returned = [([kind], count) for kind, count in queries.returned_by_kind(session, now - WEEK).items()]
    yield _family("returned_mails", "Mails that came back within seven days.", ["kind"], returned)
    domains, longest = rate_limit.slow_domains(session)
    yield _family("slow_domains", "Mail domains that asked us to slow down.", [], [([], domains)])
    yield _family(
        "longest_pause_seconds", "Longest pause between two mails to a slow domain.", [], [([], longest)]
    )


def _readers(session: Session) -> Iterator[GaugeMetricFamily]:
    labels = ["status", "language", "frequency"]
    yield _family("subscribers", "Subscribers.", labels, count_by_kind(session).items())


def _issues(session: Session) -> Iterator[GaugeMetricFamily]:
    yield _family("issues_held", "Issues whose newest state is held.", [], [([], count_held(session))])
    for name, what, moment in (
        (
            "newest_issue_timestamp_seconds",
            "When the newest weekly post came out.",
            newest_publication(session),
        ),
        ("feed_read_timestamp_seconds", "When the feed gave its last good answer.", feed_read_at(session)),
    ):
        yield _family(name, what, [], [([], moment.timestamp())] if moment else [])


def _runs(session: Session) -> Iterator[GaugeMetricFamily]:
    ended: dict[tuple[str, ...], float] = {}
    results: dict[tuple[str, ...], float] = {}
    for kind, frequency in RUNS:
        run = newest_run(session, kind, frequency)
        if run:
            ended[kind, frequency] = run.finished_at.timestamp()
            results |= {(kind, frequency, name): count for name, count in _counts(run.result).items()}
    labels = ["kind", "frequency"]
    yield _family("last_run_timestamp_seconds", "When the last run of a kind ended.", labels, ended.items())
    yield _family(
        "last_run_results", "What the last run of a kind did.", [*labels, "result"], results.items()
    )


def _counts(result: Mapping[str, Any]) -> dict[str, int]:
    counts = {name: len(value) if isinstance(value, list) else value for name, value in result.items()}
    return {name: count for name, count in counts.items() if type(count) is int}


def _family(
    name: str, what: str, labels: list[str], values: Iterable[tuple[Sequence[str], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"paperboy_{name}", what, labels=labels)
    for key, value in values:
        family.add_metric(key, value)
    return family
