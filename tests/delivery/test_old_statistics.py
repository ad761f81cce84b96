"""What PostgreSQL reads to plan and to claim grows with the batch only, though its statistics know nothing of the rows."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.database import Database
from delivery import outbox
from delivery.outbox import Lease
from tests.support.factories import NOW, add_subscriber
from tests.support.outbox import SLOT, edition_row, plan_edition

READERS = 1_000
GROUPS = 2
_ROWS_READ = text("SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables")

pytestmark = pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)


@pytest.fixture
def planned(database: Database) -> Database:
    """A database with an edition planned for half of the readers, which nobody has analyzed since it was empty."""
    with database.sessions.begin() as session:
        for table in ("subscribers", "deliveries"):
            session.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))
            session.execute(text(f"ANALYZE {table}"))
        for number in range(READERS):
            language = "en" if number % GROUPS else "ko"
            add_subscriber(session, f"reader{number}@example.com", language=language)
    assert rows_read_by(database, lambda session: plan(session, "ko")) > 0
    return database


def plan(session: Session, language: str) -> None:
    """Plan an edition for the readers of a language."""
    row = edition_row()
    row.language = language  # type: ignore[assignment]
    session.add(row)
    session.flush()
    assert plan_edition(session, row) == READERS // GROUPS


def rows_read_by(database: Database, work: Callable[[Session], None]) -> int:
    """How many rows of tables a transaction reads."""
    with database.sessions.begin() as session:
        before = session.scalar(_ROWS_READ) or 0
        work(session)
        return int((session.scalar(_ROWS_READ) or 0) - before)


def test_planning_the_second_of_two_groups_reads_each_reader_a_few_times(planned: Database) -> None:
    assert rows_read_by(planned, lambda session: plan(session, "en")) < 20 * READERS


def test_a_claim_reads_only_what_it_takes(planned: Database) -> None:
    def claim(session: Session) -> None:
        lease = Lease("sender", NOW + timedelta(minutes=1))
        assert len(outbox.claim(session, SLOT, lease, now=NOW, repeat_uncertain=True, limit=20)) == 20

    assert rows_read_by(planned, claim) < 20 * 10
