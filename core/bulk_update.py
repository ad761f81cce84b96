"""Updates of many rows, each with its own values, handed to the database driver directly.

The sender runs such an update for every few mails. SQLAlchemy's work around a statement takes longer than
the statement itself, and a round trip to PostgreSQL takes longer than its answer, so this module compiles
each statement once and sends all updates of a transaction in one round trip. While PostgreSQL works, the event
loop goes on (see `core.postgresql_statement`).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

from sqlalchemy import (
    ARRAY,
    Connection,
    Dialect,
    Engine,
    Update,
    bindparam,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.types import TypeEngine

from core.database import raw_connection
from core.postgresql_statement import PreparedStatement

BuildUpdate = Callable[[Any], Update]
Row = tuple[Any, ...]


class BulkUpdate:
    """One UPDATE that is run for many rows.

    `build` makes the statement from an object that has an attribute for each of the `types`. A row is a
    tuple of values in the order of the types. Times in it are aware.
    """

    def __init__(self, name: str, build: BuildUpdate, **types: TypeEngine[Any]) -> None:
        self.name, self.build, self.types = name, build, types
        self.parameters = [f"{name}_{column}" for column in types]
        binds = (
            bindparam(parameter, type_=kind)
            for parameter, kind in zip(self.parameters, types.values(), strict=True)
        )
        self.statement = build(SimpleNamespace(**dict(zip(types, binds, strict=True))))

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Update the rows within the connection's own transaction."""
        if rows:
            connection.execute(self.statement, [dict(zip(self.parameters, row, strict=True)) for row in rows])

    def over_arrays(self) -> Update:
        """The update of all rows in one statement for PostgreSQL. Each parameter is an array of values."""
        kinds = self.types.values()
        arrays = (
            bindparam(parameter, type_=ARRAY(kind))
            for parameter, kind in zip(self.parameters, kinds, strict=True)
        )
        columns = (column(name, kind) for name, kind in self.types.items())
        return self.build(func.unnest(*arrays).table_valued(*columns).render_derived().c)


class CombinedUpdate:
    """Several bulk updates that form one transaction and, on PostgreSQL, one round trip."""

    def __init__(self, *updates: BulkUpdate) -> None:
        self._updates = updates
        self._sqlite_updates: list[_SqliteUpdate] = []
        self._postgresql_statement: PreparedStatement | None = None

    async def run(self, connection: Connection, *rows: Sequence[Row]) -> int:
        """Run each update for its rows. Returns how many table rows the last update changed.

        `connection` comes from `open_update_connection` and is not in a transaction.

        Raises:
            DBAPIError: as SQLAlchemy raises it.
        """
        with raw_connection(connection) as raw:
            if connection.dialect.name == "sqlite":
                return self._run_on_sqlite(raw, connection.dialect, rows)
            try:
                return await self._run_on_postgresql(raw, rows)
            except asyncio.CancelledError:
                # The statement is still under way, so nothing else can use the connection.
                raw.close()
                connection.invalidate()
                raise

    def _run_on_sqlite(self, raw: Any, dialect: Dialect, rows: Sequence[Sequence[Row]]) -> int:
        self._sqlite_updates = self._sqlite_updates or [_SqliteUpdate(update) for update in self._updates]
        changed = 0
        raw.execute("BEGIN IMMEDIATE")
        try:
            for update, given in zip(self._sqlite_updates, rows, strict=True):
                changed = update.run(raw, given)
            dialect.do_commit(raw)
        except BaseException:
            raw.rollback()
            raise
        return changed

    async def _run_on_postgresql(self, raw: Any, rows: Sequence[Sequence[Row]]) -> int:
        if self._postgresql_statement is None:
            self._postgresql_statement = self._prepare()
        values: dict[str, str] = {}
        for update, given in zip(self._updates, rows, strict=True):
            columns = zip(*given, strict=True) if given else ((),) * len(update.parameters)
            values.update(zip(update.parameters, map(_array_literal, columns), strict=True))
        return int(await self._postgresql_statement.fetch_value(raw, values))

    def _prepare(self) -> PreparedStatement:
        # Each update becomes a common table expression; the statement counts the rows of the last one.
        *first, last = (
            update.over_arrays().returning(literal_column("1").label("one")).cte(update.name)
            for update in self._updates
        )
        return PreparedStatement(select(func.count()).select_from(last).add_cte(*first))


class _SqliteUpdate:
    """A bulk update compiled for SQLite, with its values in the order in which the driver takes them."""

    def __init__(self, update: BulkUpdate) -> None:
        dialect = SQLiteDialect_pysqlite()
        compiled = update.statement.compile(dialect=dialect)
        params, order = compiled.params, compiled.positiontup or []
        constants = [name for name in order if name not in update.parameters]
        sources = [*update.parameters, *constants]
        self._sql = str(compiled)
        self._constants = tuple(params[name] for name in constants)
        self._in_order: Callable[[Sequence[Any]], Row] = itemgetter(*map(sources.index, order))
        kinds = enumerate(update.types.values())
        found = ((index, kind.dialect_impl(dialect).bind_processor(dialect)) for index, kind in kinds)
        self._processors = [(index, process) for index, process in found if process]

    def run(self, raw: Any, rows: Sequence[Row]) -> int:
        """Update each row. Returns how many table rows changed."""
        if not rows:
            return 0
        return int(raw.executemany(self._sql, [self._values(row) for row in rows]).rowcount)

    def _values(self, row: Row) -> Row:
        values = [*row, *self._constants]
        for index, process in self._processors:
            values[index] = process(values[index])
        return self._in_order(values)


def open_update_connection(engine: Engine) -> Connection:
    """A connection for `CombinedUpdate`.

    On PostgreSQL every statement is a transaction of its own, and every statement is planned only once: each
    row is found by its key, so the plan does not depend on how many rows come.
    """
    connection = engine.connect()
    if engine.dialect.name == "postgresql":
        try:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # the pool must not hand these planner settings to anyone else
            connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
        except BaseException:
            connection.close()
            raise
    return connection


def _array_literal(values: Iterable[object]) -> str:
    """Values as an array literal (PostgreSQL manual, 8.15.6). The driver's own way takes ten times as long."""
    return "{" + ",".join(map(_array_item, values)) + "}"


def _array_item(value: object) -> str:
    if value is None:
        return "NULL"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
