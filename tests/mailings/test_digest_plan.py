"""A large digest is planned in batches of subscribers, and each of them gets the mail of their own group."""

import time
from itertools import product

import pytest
from sqlalchemy import select, text

from bench.databases import add_subscribers
from core.database import Database
from core.details import Detail
from core.languages import Language
from delivery import planner
from delivery.models import Delivery
from subscribers.models import Subscriber
from tests.support.account_actions import publish
from tests.support.digests import digest, stopped_digest
from tests.support.factories import add_subscriber
from tests.support.outbox import deliveries
from tests.support.servers.smtp import ScriptedServer

KINDS = tuple(product(Language, Detail))
SUBSCRIBERS, BATCHES = 8_000, 16
OTHER_CONNECTIONS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
ROWS_READ = text(
    "SELECT sum(read) FROM (SELECT relname, seq_tup_read AS read FROM pg_stat_user_tables "
    "UNION ALL SELECT relname, idx_tup_read FROM pg_stat_user_indexes) AS counts "
    "WHERE relname IN ('subscribers', 'deliveries')"
)
ROUNDS = 4  # so many subscribers of each kind, one kind after the other


@pytest.fixture
def planned_digest(database: Database, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A digest for subscribers of all kinds, in batches that end within a round."""
    monkeypatch.setattr(planner, "MAX_SUBSCRIBERS_PER_TRANSACTION", len(KINDS) + 1)
    monkeypatch.setattr(planner, "MIN_ROWS_TO_ANALYZE", ROUNDS * len(KINDS))
    publish(database)
    with database.sessions.begin() as session:
        for number, (language, detail) in enumerate(KINDS * ROUNDS):
            add_subscriber(session, f"reader{number}@example.com", language=language, detail=detail)
    assert digest(database, server).sent == ROUNDS * len(KINDS)
    return database


def test_everybody_gets_the_edition_of_their_own_language_and_detail(planned_digest: Database) -> None:
    with planned_digest.sessions() as session:
        rows = select(Subscriber, Delivery).join(Delivery)
        found = [
            (subscriber.language, subscriber.detail, delivery.edition.language, delivery.edition.detail)
            for subscriber, delivery in session.execute(rows)
        ]
    assert sorted(found) == sorted((*kind, *kind) for kind in KINDS * ROUNDS)


def test_each_batch_is_planned_for_all_groups_before_the_next(planned_digest: Database) -> None:
    ids = [delivery.subscriber_id for delivery in deliveries(planned_digest)]
    size = len(KINDS) + 1
    batches = [ids[start : start + size] for start in range(0, len(ids), size)]
    assert [sorted(batch) for batch in batches] == [
        sorted(ids)[start : start + size] for start in range(0, len(ids), size)
    ]


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_postgresql_has_fresh_statistics_after_many_deliveries_were_planned(planned_digest: Database) -> None:
    with planned_digest.sessions() as session:
        rows = session.scalar(text("SELECT reltuples FROM pg_class WHERE relname = 'deliveries'"))
    assert rows == ROUNDS * len(KINDS)


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_with_old_statistics_postgresql_reads_each_row_a_few_times_however_many_batches_there_are(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "MAX_SUBSCRIBERS_PER_TRANSACTION", SUBSCRIBERS // BATCHES)
    with database.sessions.begin() as session:
        for table in ("subscribers", "deliveries"):
            session.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))
            session.execute(text(f"ANALYZE {table}"))  # it is empty
    publish(database)
    add_subscribers(database, SUBSCRIBERS)
    rows_read = _rows_read(database)
    assert stopped_digest(database).planned == SUBSCRIBERS
    rows_read = _rows_read(database) - rows_read
    assert SUBSCRIBERS < rows_read < BATCHES * SUBSCRIBERS


def _rows_read(database: Database) -> int:
    """The rows and index entries of subscribers and deliveries that PostgreSQL has read so far."""
    database.engine.dispose()  # the server counts what a connection read when it ends
    with database.engine.connect() as connection:
        while connection.scalar(OTHER_CONNECTIONS):
            time.sleep(0.01)
        return int(connection.scalar(ROWS_READ))
