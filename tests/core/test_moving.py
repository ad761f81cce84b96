"""Everything in a SQLite file is moved to PostgreSQL: every row, the next numbers, and what links in mails lead to."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, select

from core.database import Base, DatabaseError, open_engine
from core.frequencies import Frequency
from core.moving import move
from core.schema import migrate, open_database
from delivery.context import SendingContext
from delivery.models import Delivery
from mailings.context import clock_from
from mailings.digest_run import run_digest
from subscribers.models import Subscriber
from subscribers.tokens import LinkPurpose, read_token
from tests.support.factories import RULES, add_subscriber, transport_to
from tests.support.kept_database import END, IDENTITY, KEY, kept_links, load_kept_database
from tests.support.new_databases import temporary_databases
from tests.support.servers.smtp import ScriptedServer

TABLES = Base.metadata
NEXT_WEEK = END + timedelta(days=7)


@pytest.fixture
def kept_sqlite(tmp_path: Path) -> Iterator[Engine]:
    """A SQLite file that has been in use, migrated to the newest version."""
    url = f"sqlite:///{tmp_path}/kept.db"
    load_kept_database(url)
    engine = open_engine(url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def empty_postgresql(postgresql: str) -> Iterator[Engine]:
    """A PostgreSQL database without tables."""
    with temporary_databases(postgresql) as new_postgresql:
        engine = open_engine(new_postgresql(None))
        yield engine
        engine.dispose()


def rows_of(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    with engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in TABLES.sorted_tables
        }


@pytest.mark.parametrize("is_migrated", [False, True])
def test_every_row_of_every_table_is_moved_unchanged(
    kept_sqlite: Engine, empty_postgresql: Engine, is_migrated: bool
) -> None:
    if is_migrated:
        migrate(empty_postgresql)
    counts = move(kept_sqlite, empty_postgresql, TABLES)
    before, after = rows_of(kept_sqlite), rows_of(empty_postgresql)
    assert after == before
    assert counts == {name: len(rows) for name, rows in before.items()}
    assert sum(count > 0 for count in counts.values()) >= 14, "hardly any table is empty"


def test_new_rows_get_the_next_numbers_and_the_next_digest_goes_out(
    kept_sqlite: Engine, empty_postgresql: Engine, server: ScriptedServer
) -> None:
    move(kept_sqlite, empty_postgresql, TABLES)
    database = open_database(empty_postgresql.url.render_as_string(hide_password=False))
    with database.sessions.begin() as session:
        highest = session.scalar(select(func.max(Subscriber.id)))
        assert add_subscriber(session, "new@example.com", now=END).id == (highest or 0) + 1
    context = SendingContext(database, transport_to(server), IDENTITY, clock_from(NEXT_WEEK))
    report = run_digest(context, Frequency.DAILY, local_now=NEXT_WEEK, rules=RULES)
    assert (report.sent > 0, report.fault) == (True, "")
    database.engine.dispose()


def test_links_in_mails_of_before_lead_to_the_same_subscribers(
    kept_sqlite: Engine, empty_postgresql: Engine
) -> None:
    move(kept_sqlite, empty_postgresql, TABLES)
    with empty_postgresql.connect() as connection:
        handles = dict(connection.execute(select(Subscriber.handle, Subscriber.email)).all())
    links = kept_links()
    assert links
    for address, tokens in links.items():
        token = tokens[LinkPurpose.PREFERENCES]
        assert handles[read_token(KEY, LinkPurpose.PREFERENCES, token, END.date())] == address


def test_a_target_that_is_not_empty_is_refused_and_stays_as_it_is(
    kept_sqlite: Engine, empty_postgresql: Engine
) -> None:
    move(kept_sqlite, empty_postgresql, TABLES)
    before = rows_of(empty_postgresql)
    with pytest.raises(DatabaseError, match=r"the target is not empty: its table \w+ has rows"):
        move(kept_sqlite, empty_postgresql, TABLES)
    assert rows_of(empty_postgresql) == before


def test_a_database_of_something_else_is_refused(kept_sqlite: Engine, empty_postgresql: Engine) -> None:
    with empty_postgresql.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE issues (title TEXT)")
    with pytest.raises(DatabaseError, match="has a table issues of something else"):
        move(kept_sqlite, empty_postgresql, TABLES)


def test_nothing_is_moved_if_a_row_does_not_fit(kept_sqlite: Engine, empty_postgresql: Engine) -> None:
    with kept_sqlite.begin() as connection:
        last = connection.execute(select(Delivery.__table__).limit(1)).mappings().one()
        changed = {"id": 10**6, "slot": "x\x00y", "message_id": "new"}
        connection.execute(insert(Delivery), [{**last, **changed}])
    with pytest.raises(DatabaseError, match="the rows cannot be moved: "):
        move(kept_sqlite, empty_postgresql, TABLES)
    assert not any(rows_of(empty_postgresql).values())


def test_rows_move_from_sqlite_to_postgresql_only(kept_sqlite: Engine, empty_postgresql: Engine) -> None:
    for source, target in ((kept_sqlite, kept_sqlite), (empty_postgresql, empty_postgresql)):
        with pytest.raises(DatabaseError, match="from SQLite"):
            move(source, target, TABLES)
