"""Planning creates one delivery for each subscriber, with a Message-ID of its own."""

from typing import Any

import pytest
from sqlalchemy import event, func, select

from core.database import Database
from delivery.editions import add_edition, editions_with
from delivery.models import Delivery
from tests.support.factories import add_subscriber
from tests.support.outbox import deliveries, edition_row, plan_edition, plan_mails


def test_planning_a_slot_twice_changes_nothing_the_second_time(database: Database) -> None:
    with database.sessions.begin() as session:
        subscriber = add_subscriber(session)
        row = edition_row()
        session.add(row)
        session.flush()
        for expected in (1, 0):
            assert plan_edition(session, row) == expected
        session.refresh(subscriber)
        assert subscriber.cursor == 2
        assert session.scalar(select(func.count()).select_from(Delivery)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("status", "paused"), ("language", "en"), ("frequency", "daily"), ("cursor", 1)],
)
def test_a_subscriber_who_changed_since_the_audience_was_read_waits_for_the_next_run(
    database: Database, field: str, value: object
) -> None:
    with database.sessions.begin() as session:
        subscriber = add_subscriber(session)
        setattr(subscriber, field, value)
        row = edition_row()
        session.add(row)
        session.flush()
        before = subscriber.cursor
        assert plan_edition(session, row) == 0
        session.refresh(subscriber)
        assert subscriber.cursor == before


def test_every_delivery_has_a_message_id_of_its_own_at_the_senders_domain(database: Database) -> None:
    plan_mails(database, 20)
    ids = [delivery.message_id for delivery in deliveries(database)]
    assert len(set(ids)) == 20
    assert all(id_.endswith("@paperboy.example") for id_ in ids)


def test_editions_that_read_the_same_are_stored_once(database: Database) -> None:
    with database.sessions.begin() as session:
        first = add_edition(session, edition_row())
        assert add_edition(session, edition_row()) is first
        others = [edition_row(after_cursor=1), edition_row(), edition_row(), edition_row()]
        others[1].html += "<p>corrected</p>"
        others[2].slot = "weekly:2025-W33"
        others[3].nonce = "f" * len(first.nonce)
        stored = {add_edition(session, other).id for other in others} | {first.id}
        assert len(stored) == 5


def test_no_edition_is_read_to_find_those_that_bring_none_of_the_papers(sqlite_database: Database) -> None:
    statements: list[str] = []
    with sqlite_database.sessions.begin() as session:
        session.connection()
        event.listen(
            sqlite_database.engine, "before_cursor_execute", lambda _c, _u, sql, *_: statements.append(sql)
        )
        assert editions_with(session, ()) == {}
    assert statements == []


def test_no_statement_of_a_batch_reads_all_deliveries_in_sqlite(sqlite_database: Database) -> None:
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    with sqlite_database.sessions.begin() as session:
        add_subscriber(session)
        row = edition_row()
        session.add(row)
        session.flush()
        event.listen(sqlite_database.engine, "before_cursor_execute", note)
        assert plan_edition(session, row) == 1
        event.remove(sqlite_database.engine, "before_cursor_execute", note)
        plans = [
            str(step)
            for statement, parameters in statements
            for step in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    assert any("SEARCH deliveries USING INTEGER PRIMARY KEY (rowid>?)" in plan for plan in plans)
    assert [plan for plan in plans if "SCAN deliveries" in plan] == []
