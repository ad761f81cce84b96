"""The metrics that Prometheus scrapes, and who may read them."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.database import Database
from core.frequencies import Frequency
from delivery.models import BounceMail, Delivery, DomainPause
from delivery.states import DeliveryState
from monitoring import prometheus
from tests.support.site import Site, open_site

MINJI = "minji@example.com"
TOKEN = "a token for tests"


def samples_in(answer: httpx.Response) -> dict[tuple[str, ...], float]:
    """The value of each sample, by its name and the values of its labels in the order of the labels' names."""
    assert answer.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_count_mails_subscribers_issues_and_runs_without_naming_anybody(sample_site: Site) -> None:
    site = sample_site
    site.add(MINJI)
    site.add("jihoon@example.com", language="both", frequency="daily", detail="brief")
    assert site.digest(Frequency.WEEKLY).sent == 1
    site.server.on_rcpt = "451 4.2.0 later"
    assert site.digest(Frequency.DAILY).deferred == 1
    with site.database.sessions.begin() as session:
        sent = session.query(Delivery).filter(Delivery.state == DeliveryState.SENT).one()
        for age in (1, 20):
            received = site.clock() - timedelta(days=age)
            mail = BounceMail(
                content_hash=str(age), received_at=received, kind="bounce", action="", delivery_id=sent.id
            )
            session.add(mail)
        session.add(DomainPause(domain="slow.example", interval=8.0, next_at=site.clock()))
    answer = site.client.get("/metrics")
    found = samples_in(answer)
    assert found["paperboy_deliveries_under_way", "deferred"] == 1
    assert found["paperboy_subscribers", "brief", "daily", "both", "active"] == 1
    assert found["paperboy_last_run_results", "weekly", "digest", "sent"] == 1
    assert found["paperboy_last_run_results", "", "ingest", "changed"] == 1
    assert found["paperboy_returned_mails", "bounce"] == 1
    assert (found["paperboy_slow_domains",], found["paperboy_longest_pause_seconds",]) == (2, 8)
    assert found["paperboy_issues_held",] == 0
    now = site.clock().timestamp()
    assert now - 60 < found["paperboy_last_run_timestamp_seconds", "weekly", "digest"] <= now
    for name in ("newest_issue", "feed_read"):
        assert 0 < found[f"paperboy_{name}_timestamp_seconds",] < now
    assert "@" not in answer.text
    assert "slow.example" not in answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")


def test_a_new_installation_has_metrics_without_timestamps(site: Site) -> None:
    found = samples_in(site.client.get("/metrics"))
    assert found["paperboy_issues_held",] == 0
    assert not [name for name, *_ in found if "timestamp" in name]


def test_scrapes_soon_after_each_other_read_the_database_once(
    sample_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sample_site.client.get("/metrics").text
    sample_site.add(MINJI)
    assert sample_site.client.get("/metrics").text == first
    monkeypatch.setattr(prometheus, "CACHE_SECONDS", 0)
    assert sample_site.client.get("/metrics").text != first


def test_a_scrape_neither_waits_for_a_writer_nor_blocks_one(site: Site) -> None:
    with site.database.sessions.begin() as session:
        session.add(DomainPause(domain="slow.example", interval=8.0, next_at=site.clock()))
        session.flush()  # holds SQLite's only write lock
        assert samples_in(site.client.get("/metrics"))["paperboy_slow_domains",] == 0


def test_without_a_token_only_private_networks_may_scrape_and_not_through_a_proxy(site: Site) -> None:
    assert site.client.get("/metrics").status_code == 200
    for headers in (
        {"X-Forwarded-For": "8.8.8.8"},
        {"X-Forwarded-For": "10.0.0.1"},
        {"Forwarded": "for=8.8.8.8"},
    ):
        refused = site.client.get("/metrics", headers=headers)
        assert refused.status_code == 404
        assert "paperboy_" not in refused.text


def test_everybody_needs_the_token_once_it_is_set(sqlite_database: Database, tmp_path: Path) -> None:
    with open_site(sqlite_database, tmp_path, metrics_token=TOKEN) as site:
        for authorization in ("", "Bearer", f"Bearer {TOKEN}x", "Bearer é".encode(), f"Basic {TOKEN}"):
            headers = {"Authorization": authorization} if authorization else {}
            assert site.client.get("/metrics", headers=headers).status_code == 404  # type: ignore[arg-type]
        through_a_proxy = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "8.8.8.8"}
        assert site.client.get("/metrics", headers=through_a_proxy).status_code == 200
