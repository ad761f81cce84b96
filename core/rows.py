"""Changes of some rows, each with values of its own, handed to the driver as they are.

For what runs with every few mails: SQLAlchemy's work around a statement takes longer than the statement, and
a question to PostgreSQL longer than its answer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

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
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

Row = Mapping[str, Any]
Build = Callable[[Any], Update]


class RowChange:
    """An UPDATE for each of some rows; `build` makes it of an object with a column for each of the `types`."""

    def __init__(self, name: str, build: Build, **types: TypeEngine[Any]) -> None:
        self.name, self.build, self.types = name, build, types
        binds = {key: bindparam(self._place(key), type_=kind) for key, kind in types.items()}
        self.statement = build(SimpleNamespace(**binds))

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Make the change in the connection's transaction."""
        if rows:
            connection.execute(self.statement, [self.placed(row) for row in rows])

    def placed(self, row: Row) -> dict[str, Any]:
        """The values by the names of their places in the statement."""
        return {self._place(key): row[key] for key in self.types}

    def in_columns(self, rows: Sequence[Row]) -> dict[str, str]:
        """The values of all rows, an array for each place."""
        return {self._place(key): _array([row[key] for row in rows]) for key in self.types}

    def of_arrays(self) -> Update:
        """The change of all rows in one statement, for PostgreSQL."""
        arrays = (bindparam(self._place(key), type_=ARRAY(kind)) for key, kind in self.types.items())
        columns = (column(key, kind) for key, kind in self.types.items())
        return self.build(func.unnest(*arrays).table_valued(*columns).render_derived().c)

    def _place(self, key: str) -> str:
        return f"{self.name}_{key}"


class AtOnce:
    """Changes that are a transaction of their own: one question to PostgreSQL."""

    def __init__(self, *changes: RowChange) -> None:
        self._changes = changes
        self._ready: dict[str, list[_Ready]] = {}

    def run(self, connection: Connection, *rows: Sequence[Row]) -> int:
        """Make each change of its rows; how many rows of the table the last one met.

        `connection` is one of `connect`, and in no transaction.

        Raises:
            DBAPIError: as SQLAlchemy does.
        """
        dialect = connection.dialect
        if dialect.name not in self._ready:
            self._ready[dialect.name] = self._prepare(dialect)
        with driver(connection) as raw:
            run = self._on_sqlite if dialect.name == "sqlite" else self._on_postgresql
            return run(raw, dialect, rows)

    def _prepare(self, dialect: Dialect) -> "list[_Ready]":
        if dialect.name == "sqlite":
            # SQLAlchemy counts sqlite3's places, but the driver knows names as well.
            by_name = SQLiteDialect_pysqlite(paramstyle="named")
            return [_Ready.of(change.statement.compile(dialect=by_name), by_name) for change in self._changes]
        *first, last = (
            change.of_arrays().returning(literal_column("1").label("one")).cte(change.name)
            for change in self._changes
        )
        question = select(func.count()).select_from(last).add_cte(*first)
        return [_Ready.of(question.compile(dialect=dialect), dialect)]

    def _on_sqlite(self, raw: Any, dialect: Dialect, rows: Sequence[Sequence[Row]]) -> int:
        met = 0
        raw.execute("BEGIN IMMEDIATE")
        try:
            for change, ready, given in zip(self._changes, self._ready[dialect.name], rows, strict=True):
                values = [{**ready.constants, **change.placed(row)} for row in given]
                for place, process in ready.processors:
                    for value in values:
                        value[place] = process(value[place])
                met = raw.executemany(ready.sql, values).rowcount if values else 0
            dialect.do_commit(raw)
        except BaseException:
            raw.rollback()
            raise
        return met

    def _on_postgresql(self, raw: Any, dialect: Dialect, rows: Sequence[Sequence[Row]]) -> int:
        (ready,) = self._ready[dialect.name]
        values: dict[str, Any] = dict(ready.constants)
        for change, given in zip(self._changes, rows, strict=True):
            values |= change.in_columns(given)
        return int(raw.execute(ready.sql, values).fetchone()[0])


class _Ready(NamedTuple):
    """SQL with named places, what always goes into some, and what turns values into the driver's."""

    sql: str
    constants: dict[str, Any]
    processors: Sequence[tuple[str, Callable[[Any], Any]]]

    @classmethod
    def of(cls, compiled: Any, dialect: Dialect) -> "_Ready":
        constants = {place: value for place, value in compiled.params.items() if value is not None}
        processors = [
            (place, process)
            for place in compiled.params.keys() - constants.keys()
            if (process := compiled.binds[place].type.dialect_impl(dialect).bind_processor(dialect))
        ]
        return cls(str(compiled), constants, processors)


def connect(engine: Engine) -> Connection:
    """A connection for `AtOnce`, of its own: PostgreSQL ends a transaction with each statement, and plans each
    statement once. How many rows come does not matter to a plan that looks each up by its key."""
    connection = engine.connect()
    if engine.dialect.name == "postgresql":
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
        connection.detach()  # from the pool: nothing else shall be planned like that
    return connection


@contextmanager
def driver(connection: Connection) -> Iterator[Any]:
    """The driver's own connection.

    Raises:
        DBAPIError: as SQLAlchemy does.
    """
    dialect = connection.dialect
    raw = connection.connection.dbapi_connection
    try:
        yield raw
    except dialect.loaded_dbapi.Error as error:
        is_lost = dialect.is_disconnect(error, raw, None)
        if is_lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            None, None, error, dialect.loaded_dbapi.Error, connection_invalidated=is_lost, dialect=dialect
        ) from error


def _array(values: Sequence[object]) -> str:
    """Values as PostgreSQL reads an array (its manual, 8.15.6): the driver's own way takes ten times as long."""
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    items = ("NULL" if value is None else f'"{text}"' for value, text in zip(values, quoted, strict=True))
    return f"{{{','.join(items)}}}"
