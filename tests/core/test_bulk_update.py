"""Bulk updates give each row its own values, whatever these hold, and all updates are made or none."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Update,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from core.bulk_update import BulkUpdate, CombinedUpdate, open_update_connection
from core.database import Database

NOTES = Table(
    "notes",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("text", String),
    Column("state", String),
)


def update_text(row: Any) -> Update:
    return update(NOTES).where(NOTES.c.id == row.id, NOTES.c.state == "open").values(text=row.text)


def update_state(row: Any) -> Update:
    return update(NOTES).where(NOTES.c.id == row.id, NOTES.c.state == "open").values(state=row.state)


TEXT_UPDATE = BulkUpdate("update_text", update_text, id=Integer(), text=String())
UPDATES = CombinedUpdate(TEXT_UPDATE, BulkUpdate("update_state", update_state, state=String(), id=Integer()))
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


def run(connection: Connection, *rows: Sequence[tuple[Any, ...]]) -> int:
    """Run the updates in an event loop, as a sender does."""
    return asyncio.run(UPDATES.run(connection, *rows))


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    NOTES.create(database.engine)
    with database.engine.begin() as connection:
        connection.execute(
            insert(NOTES), [{"id": number, "text": "", "state": "open"} for number in range(4)]
        )
    yield database.engine
    NOTES.drop(database.engine)


def texts(engine: Engine) -> list[str | None]:
    with engine.connect() as connection:
        return list(connection.scalars(select(NOTES.c.text).order_by(NOTES.c.id)))


def closed_ids(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(
            connection.scalars(select(NOTES.c.id).where(NOTES.c.state != "open").order_by(NOTES.c.id))
        )


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, min_size=4, max_size=4))
def test_every_text_is_stored_as_it_is(engine: Engine, given_texts: list[str | None]) -> None:
    with open_update_connection(engine) as connection:
        run(connection, list(enumerate(given_texts)), [])
    assert texts(engine) == given_texts


@pytest.mark.parametrize(
    "text", ['"', "\\", '\\"', "{a,b}", ",", "NULL", "", " a ", "'; DROP TABLE notes", "%s", "한글"]
)
def test_special_characters_in_a_text_are_stored_as_text(engine: Engine, text: str) -> None:
    with open_update_connection(engine) as connection:
        run(connection, [(1, text)], [])
    assert texts(engine) == ["", text, "", ""]


def test_the_result_counts_the_rows_that_the_last_update_changed(engine: Engine) -> None:
    with open_update_connection(engine) as connection:
        assert run(connection, [(0, "new"), (1, "new")], [("done", 2), ("done", 3), ("done", 99)]) == 2
        assert run(connection, [(2, "too late")], [("done", 1), ("done", 2)]) == 1
        assert run(connection, [(0, "newer")], []) == 0
    assert texts(engine) == ["newer", "new", "", ""]
    assert closed_ids(engine) == [1, 2, 3]


def test_a_failed_update_changes_nothing_and_leaves_the_connection_usable(engine: Engine) -> None:
    with open_update_connection(engine) as connection:
        with pytest.raises(DBAPIError):
            run(connection, [(0, "half done")], [("done", 1), ("done", {"no": "number"})])
        assert run(connection, [], [("done", 1)]) == 1
    assert texts(engine) == [""] * 4
    assert closed_ids(engine) == [1]


def test_an_update_within_another_transaction_is_rolled_back_with_it(engine: Engine) -> None:
    with engine.connect() as connection:
        TEXT_UPDATE.run(connection, [(0, "new")])
        connection.rollback()
    assert texts(engine) == [""] * 4
