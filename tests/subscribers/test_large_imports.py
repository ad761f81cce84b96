"""A large import can be interrupted and repeated, and a file with a mistake stores nobody."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from core.database import Database
from subscribers import transfer
from subscribers.csv_files import CsvError
from subscribers.models import AccountEvent, Subscriber
from subscribers.transfer import ImportReport, import_subscribers
from tests.support.csv_transfer import (
    CSV_HEADER,
    KEY,
    SEOUL,
    ImportText,
    all_subscribers,
    csv_rows,
    delete_all_subscribers,
)
from tests.support.factories import NOW

LATER = NOW + timedelta(days=1)


def test_repeating_an_import_adds_nobody(database: Database, import_text: ImportText) -> None:
    text = CSV_HEADER + csv_rows(30) + "nobody,ko,weekly\n" + csv_rows(1)
    assert import_text(text)[0] == ImportReport(added=30, refused=2)
    before = all_subscribers(database)
    assert import_text(text, now=LATER)[0] == ImportReport(known=30, refused=2)
    assert all_subscribers(database) == before


def test_a_repeated_address_is_found_however_far_apart_its_lines_are(
    database: Database, import_text: ImportText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "ROWS_PER_TRANSACTION", 10)
    report, rejected_rows = import_text(CSV_HEADER + csv_rows(25) + csv_rows(5) + csv_rows(1, first=25))
    assert report == ImportReport(added=26, refused=5)
    assert [(rejected.line, rejected.reason[-9:]) for rejected in rejected_rows] == [
        (line, f"{line - 25:>2} already"[-9:]) for line in range(27, 32)
    ]
    assert len(all_subscribers(database)) == 26


class Crash(BaseException):
    """Stands for the end of the process."""


class StatementCountdown:
    """Raises `Crash` before the statement with the number `remaining`, counted from 1; never if it is 0."""

    def __init__(self, database: Database) -> None:
        self.remaining = 0
        event.listen(database.engine, "before_cursor_execute", self.count_statement)

    def count_statement(self, *_: object) -> None:
        self.remaining -= 1
        if self.remaining == 0:
            raise Crash


def test_a_crash_stores_no_incomplete_subscriber_and_a_repetition_adds_the_rest(
    database: Database, import_text: ImportText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "ROWS_PER_TRANSACTION", 4)
    text, countdown = CSV_HEADER + csv_rows(10), StatementCountdown(database)
    stored_counts: set[int] = set()
    for statement_number in range(1, 100):
        delete_all_subscribers(database)
        countdown.remaining = statement_number
        try:
            import_text(text)
        except Crash:
            countdown.remaining = 0
        else:
            assert stored_counts == {0, 4, 8}, "the import must have crashed in each of the three batches"
            return
        with database.sessions() as session:
            stored = session.scalar(select(func.count(Subscriber.id))) or 0
            assert session.scalar(select(func.count(AccountEvent.id))) == stored
        stored_counts.add(stored)
        assert import_text(text)[0] == ImportReport(added=10 - stored, known=stored)
        assert len(all_subscribers(database)) == 10
    pytest.fail("no import ran to its end")


def test_the_number_of_statements_does_not_grow_with_the_number_of_rows(
    database: Database, import_text: ImportText
) -> None:
    statement_counts = []
    for count in (10, 1000):
        statements: list[str] = []

        def record(
            _connection: Any, _cursor: Any, statement: str, *_: Any, into: list[str] = statements
        ) -> None:
            into.append(statement)

        event.listen(database.engine, "before_cursor_execute", record)
        assert import_text(CSV_HEADER + csv_rows(count, first=count))[0].added == count
        event.remove(database.engine, "before_cursor_execute", record)
        statement_counts.append(len(statements))
    assert statement_counts[1] <= statement_counts[0] + 1


@pytest.mark.parametrize("end", [b"\xff\xfe,ko,weekly\n", b"x" * 70_000])
def test_a_file_with_a_mistake_only_at_its_end_stores_nobody(
    database: Database, import_text: ImportText, monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    monkeypatch.setattr(transfer, "ROWS_PER_TRANSACTION", 5)
    with pytest.raises(CsvError):
        import_text((CSV_HEADER + csv_rows(50)).encode() + end)
    assert all_subscribers(database) == []


def test_a_file_that_is_missing_or_lacks_columns_stores_nobody(
    database: Database, import_text: ImportText, tmp_path: Path
) -> None:
    with pytest.raises(CsvError, match="frequency"):
        import_text("email,language\nminji@example.com,ko\n")
    with pytest.raises(CsvError, match="No such file"):
        import_subscribers(
            database.sessions, tmp_path / "no.csv", key=KEY, now=NOW, zone=SEOUL, on_rejected=print
        )
    assert all_subscribers(database) == []
