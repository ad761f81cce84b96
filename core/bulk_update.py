"""Changes of some rows, each with values of its own, handed to the driver as they are.

For what runs with every few mails: SQLAlchemy's work around a statement takes longer than the statement, and
a question to PostgreSQL longer than its answer.
"""

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

from core.database import driver

Build = Callable[[Any], Update]


class RowChange:
    """An UPDATE for each of some rows; `build` makes it of an object with a column for each of the `types`.

    A row is a tuple of the values in the order of the types; times in it are aware.
    """

    def __init__(self, name: str, build: Build, **types: TypeEngine[Any]) -> None:
        self.name, self.build, self.types = name, build, types
        self.places = [f"{name}_{column}" for column in types]
        binds = (
            bindparam(place, type_=kind) for place, kind in zip(self.places, types.values(), strict=True)
        )
        self.statement = build(SimpleNamespace(**dict(zip(types, binds, strict=True))))

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Make the change in the connection's transaction."""
        if rows:
            connection.execute(self.statement, [dict(zip(self.places, row, strict=True)) for row in rows])

    def of_arrays(self) -> Update:
        """The change of all rows in one statement, for PostgreSQL; each place takes the values of all rows."""
        kinds = self.types.values()
        arrays = (bindparam(place, type_=ARRAY(kind)) for place, kind in zip(self.places, kinds, strict=True))
        columns = (column(name, kind) for name, kind in self.types.items())
        return self.build(func.unnest(*arrays).table_valued(*columns).render_derived().c)


class AtOnce:
    """Changes that are a transaction of their own: one question to PostgreSQL."""

    def __init__(self, *changes: RowChange) -> None:
        self._changes = changes
        self._on_sqlite: list[_OnSqlite] = []
        self._question: tuple[str, dict[str, Any]] = ("", {})

    def run(self, connection: Connection, *rows: Sequence[tuple[Any, ...]]) -> int:
        """Make each change of its rows; how many rows of the table the last one met.

        `connection` is one of `connect`, and in no transaction.

        Raises:
            DBAPIError: as SQLAlchemy does.
        """
        with driver(connection) as raw:
            if connection.dialect.name == "sqlite":
                return self._one_by_one(raw, connection.dialect, rows)
            return self._ask(raw, connection.dialect, rows)

    def _one_by_one(self, raw: Any, dialect: Dialect, rows: Sequence[Sequence[tuple[Any, ...]]]) -> int:
        self._on_sqlite = self._on_sqlite or [_OnSqlite(change) for change in self._changes]
        met = 0
        raw.execute("BEGIN IMMEDIATE")
        try:
            for change, given in zip(self._on_sqlite, rows, strict=True):
                met = change.run(raw, given)
            dialect.do_commit(raw)
        except BaseException:
            raw.rollback()
            raise
        return met

    def _ask(self, raw: Any, dialect: Dialect, rows: Sequence[Sequence[tuple[Any, ...]]]) -> int:
        if not self._question[0]:
            *first, last = (
                change.of_arrays().returning(literal_column("1").label("one")).cte(change.name)
                for change in self._changes
            )
            compiled = select(func.count()).select_from(last).add_cte(*first).compile(dialect=dialect)
            self._question = str(compiled), compiled.params
        sql, constants = self._question
        values = dict(constants)
        for change, given in zip(self._changes, rows, strict=True):
            columns = zip(*given, strict=True) if given else ((),) * len(change.places)
            values.update(zip(change.places, map(_array, columns), strict=True))
        return int(raw.execute(sql, values).fetchone()[0])


class _OnSqlite:
    """A change in SQLite's own words, its values in the order in which the driver takes them."""

    def __init__(self, change: RowChange) -> None:
        dialect = SQLiteDialect_pysqlite()
        compiled = change.statement.compile(dialect=dialect)
        params, order = compiled.params, compiled.positiontup or []
        constants = [place for place in order if place not in change.places]
        sources = [*change.places, *constants]
        self._sql = str(compiled)
        self._constants = tuple(params[place] for place in constants)
        self._in_order: Callable[[Sequence[Any]], tuple[Any, ...]] = itemgetter(*map(sources.index, order))
        kinds = enumerate(change.types.values())
        found = ((index, kind.dialect_impl(dialect).bind_processor(dialect)) for index, kind in kinds)
        self._processors = [(index, process) for index, process in found if process]

    def run(self, raw: Any, rows: Sequence[tuple[Any, ...]]) -> int:
        """Make the change of each row; how many rows of the table it met."""
        if not rows:
            return 0
        return int(raw.executemany(self._sql, [self._values(row) for row in rows]).rowcount)

    def _values(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        values = [*row, *self._constants]
        for index, process in self._processors:
            values[index] = process(values[index])
        return self._in_order(values)


def connect(engine: Engine) -> Connection:
    """A connection for `AtOnce`, of its own: PostgreSQL ends a transaction with each statement, and plans each
    statement once. How many rows come does not matter to a plan that looks each up by its key."""
    connection = engine.connect()
    if engine.dialect.name == "postgresql":
        try:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # from the pool: nothing else shall be planned like that
            connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
        except BaseException:
            connection.close()
            raise
    return connection


def _array(values: Iterable[object]) -> str:
    """Values as PostgreSQL reads an array (its manual, 8.15.6): the driver's own way takes ten times as long."""
    return "{" + ",".join(map(_item, values)) + "}"


def _item(value: object) -> str:
    if value is None:
        return "NULL"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
