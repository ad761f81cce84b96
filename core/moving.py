"""Moves all rows from a SQLite file to an empty PostgreSQL database of the same version."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, Integer, MetaData, Table, func, insert, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from core.database import DatabaseError, first_line
from core.schema import ensure_current, migrate, version_of

ROWS_PER_STATEMENT = 1_000


def move(source: Engine, target: Engine, tables: MetaData) -> dict[str, int]:
    """Copy the rows of all `tables`, in one transaction, and return how many each has.

    No process can write to the source meanwhile. It stays as it is.

    Raises:
        DatabaseError: the source is no SQLite file of this version or has other tables; or the target is no PostgreSQL
            database, cannot be reached or is not empty; or a row does not fit. The target has at most empty tables then.
    """
    if source.dialect.name != "sqlite" or target.dialect.name != "postgresql":
        raise DatabaseError("rows are moved from SQLite (PAPERBOY_DATABASE_URL) to postgresql://… only")
    ensure_current(source)
    if unknown := set(inspect(source).get_table_names()) - set(tables.tables) - {"alembic_version"}:
        raise DatabaseError(
            f"the SQLite file has tables that would not be moved: {', '.join(sorted(unknown))}"
        )
    with _told_in_one_line("the rows cannot be moved"):
        _prepare(target, tables)
        with source.begin() as old, target.begin() as new:
            for table in tables.sorted_tables:
                _copy(old, new, table)
                _continue_numbers(new, table)
            counts = {table.name: _count(old, table) for table in tables.sorted_tables}
            moved = {table.name: _count(new, table) for table in tables.sorted_tables}
            if moved != counts:  # the transaction is rolled back
                raise DatabaseError(f"the counts of rows differ: {counts} became {moved}; nothing was moved")
    return counts


@contextmanager
def _told_in_one_line(problem: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise DatabaseError(f"{problem}: {first_line(error)}") from None


def _prepare(target: Engine, tables: MetaData) -> None:
    """Make the tables, once it is certain that the database is empty."""
    version = version_of(target)
    with target.connect() as connection:
        present = set(inspect(connection).get_table_names())
        ours = [table for table in tables.sorted_tables if table.name in present]
        if not version and ours:
            raise DatabaseError(
                f"the target has a table {ours[0].name} of something else: name an empty database"
            )
        if filled := next((table.name for table in ours if _count(connection, table)), ""):
            raise DatabaseError(
                f"the target is not empty: its table {filled} has rows. Name an empty database"
            )
    migrate(target)


def _copy(old: Connection, new: Connection, table: Table) -> None:
    rows = old.execute(select(table).order_by(*table.primary_key)).mappings()
    for batch in rows.partitions(ROWS_PER_STATEMENT):
        new.execute(insert(table), [dict(row) for row in batch])


def _continue_numbers(new: Connection, table: Table) -> None:
    """Let the next row get the number after the highest one."""
    column = table.autoincrement_column
    if column is None or not isinstance(column.type, Integer):
        return
    highest = new.scalar(select(func.max(column)))
    sequence = new.scalar(
        text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
    )
    if highest and sequence:
        new.execute(text("SELECT setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest})


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0
