"""A prepared statement of PostgreSQL that leaves the event loop free until its answer comes.

psycopg's own asynchronous connection would be opened beside SQLAlchemy's, and takes half as long again for a
statement. This module speaks to libpq through `psycopg.pq`, on the connection that SQLAlchemy opened. It gives values
as texts, which the server reads.
"""

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult


_numbers = count(1)  # of the statements, which a connection tells apart by their names


class PreparedStatement:
    """A statement that returns one value. Each connection prepares it before its first run."""

    def __init__(self, statement: Select[Any]) -> None:
        compiled = statement.compile(dialect=PGDialect_psycopg(paramstyle="numeric_dollar"))  # type: ignore[no-untyped-call]  # SQLAlchemy's
        self._sql = str(compiled).encode()
        self._order = compiled.positiontup or []
        self._constants = {name: str(value) for name, value in compiled.params.items() if value is not None}
        self._name = f"paperboy_{next(_numbers)}".encode()
        self._prepared_on: WeakSet[Any] = WeakSet()

    async def fetch_value(self, raw: Any, values: Mapping[str, str]) -> str:
        """Run the statement with `values` in PostgreSQL's text format. Returns the value as text.

        `raw` is a psycopg connection that nothing else uses. If this coroutine is cancelled, the connection must be closed.

        Raises:
            psycopg.Error: as psycopg raises it.
        """
        pgconn = raw.pgconn
        if raw not in self._prepared_on:
            pgconn.send_prepare(self._name, self._sql)
            await _result(pgconn)
            self._prepared_on.add(raw)
        given = {**self._constants, **values}
        pgconn.send_query_prepared(self._name, [given[name].encode() for name in self._order])
        result = await _result(pgconn)
        return (result.get_value(0, 0) or b"").decode()


async def _result(pgconn: "PGconn") -> "PGresult":
    """The result of the command that was given to libpq (PostgreSQL manual, 34.4)."""
    from psycopg import errors  # noqa: PLC0415  installations on SQLite do not need psycopg
    from psycopg.pq import ExecStatus  # noqa: PLC0415  as above

    loop = asyncio.get_running_loop()
    while pgconn.flush():  # the rest waits until the server has read more
        await _ready(loop.add_writer, loop.remove_writer, pgconn.socket)
    results: list[PGresult] = []
    while True:
        while pgconn.is_busy():
            await _ready(loop.add_reader, loop.remove_reader, pgconn.socket)
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            break
        results.append(result)
    for result in results:
        if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            raise errors.error_from_result(result)
    return results[-1]


async def _ready(add: Callable[..., object], remove: Callable[[int], object], socket: int) -> None:
    """Wait until a socket can be read, or written."""
    is_ready = asyncio.get_running_loop().create_future()
    add(socket, _set, is_ready)
    try:
        await is_ready
    finally:
        remove(socket)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
