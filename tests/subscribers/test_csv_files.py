"""CSV files are read back as written, no spreadsheet runs a cell, and a wrong file is reported in one line."""

import csv
import os
import stat
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.csv_files import MAX_LINE_CHARACTERS, CsvError, format_row, read_rows, write_private

REQUIRED = ("email", "language")
FORMULA_STARTS = "=+-@\t\r＝＋－＠"
cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text(
    f"'{FORMULA_STARTS}a ", max_size=5
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("csv")


def read(path: Path) -> list[tuple[int, dict[str, str]]]:
    rows = list(read_rows(path, REQUIRED))
    assert not any(row.surplus or row.problem for row in rows)
    return [(row.line, row.cells) for row in rows]


@given(rows=st.lists(st.tuples(cells, cells), max_size=5))
def test_rows_are_read_back_as_they_were_written(folder: Path, rows: list[tuple[str, str]]) -> None:
    path = folder / "any.csv"
    lines = [format_row(REQUIRED), *(format_row(("x" + first, second)) for first, second in rows)]
    assert write_private(path, lines) == len(rows) + 1
    assert [tuple(row.values()) for _, row in read(path)] == [("x" + first, second) for first, second in rows]


@given(cell=cells)
def test_no_written_cell_begins_like_a_formula(cell: str) -> None:
    ((written,),) = csv.reader([format_row([cell])], strict=True) if cell else [("",)]
    assert not written.startswith(tuple(FORMULA_STARTS))
    assert written in {cell, f"'{cell}"}


@pytest.mark.parametrize("name", ["'t Hooft", "O'Brien", "김민지", "a=b", "x@example.com"])
def test_a_cell_that_no_spreadsheet_runs_is_written_unchanged(name: str) -> None:
    assert format_row([name]) == f"{name}\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"email,language\nminji@example.com,ko\n",
        b"\xef\xbb\xbfemail,language\r\nminji@example.com,ko\r\n",
        b"email;language\rminji@example.com;ko",
        b'"Language"\t EMAIL \nko\tminji@example.com\n',
        b'language,note,email\nko,"one, two",minji@example.com\n',
    ],
)
def test_a_file_is_read_whatever_its_delimiter_line_ends_and_column_order(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(data)
    ((line, row),) = read(path)
    assert (line, row["email"], row["language"]) == (2, "minji@example.com", "ko")


def test_a_row_is_named_by_the_line_in_which_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text('email,language\na,"k\no\n"\n\n,,\n  ,\nb,en\nc\n', encoding="utf-8")
    assert [(line, row["email"]) for line, row in read(path)] == [(2, "a"), (8, "b"), (9, "c")]


def test_cells_beyond_the_last_column_are_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("email,language\na,ko,,b@example.com\nb,ko,,\n", encoding="utf-8")
    assert [row.surplus for row in read_rows(path, REQUIRED)] == ["b@example.com", ""]


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        ('a,ko\n"b,ko\nc,ko\n', ["a", "c"], [3]),
        ('"a"b,ko\nc,ko\n', ["c"], [2]),
        ('a,"ko\nb,ko\nc,"en"\nd,ko\n', ["b", "c", "d"], [2]),
        ('a,"ko\nb,"ko\nc,"k\no"\nd,ko\n', ["c", "d"], [2, 3]),
        ('"' + "x,ko\n" * 50, ["x"] * 49, [2]),
        ('a 5" b,ko\nc,"k""o"\n', ['a 5" b', "c"], []),
    ],
)
def test_an_unclosed_quotation_mark_costs_only_its_own_row(
    tmp_path: Path, text: str, good: list[str], bad: list[int]
) -> None:
    path = tmp_path / "r.csv"
    path.write_text(f"email,language\n{text}", encoding="utf-8")
    rows = list(read_rows(path, REQUIRED))
    assert [row.cells["email"] for row in rows if not row.problem] == good
    assert [row.line for row in rows if row.problem] == bad


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "names no column email, language"),
        (b"email,name\na@example.com,x\n", "names no column language"),
        (b"a@example.com,ko\n", "names no column email, language"),
        (b"email,language,Email\n", "names email twice"),
        (b"email,language,Email,LANGUAGE\n", "the first line names email, language twice"),
        (b"email,language\n\xff\xfe,ko\n", "not UTF-8"),
        ("email,language\n".encode("utf-16"), "not UTF-8"),
        ("email,language\n".encode("utf-16-le"), "names no column"),
        (b"email,language\n" + b"x" * MAX_LINE_CHARACTERS + b",ko\n", "line of over 65,536 characters"),
    ],
)
def test_a_file_that_is_not_csv_is_refused_in_one_line_that_names_it(
    tmp_path: Path, data: bytes, message: str
) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(data)
    with pytest.raises(CsvError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "missing.csv", "pipe"])
def test_a_path_that_is_not_an_ordinary_file_is_refused_without_waiting(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CsvError, match=r"not an ordinary file|No such file"):
        read(tmp_path / name)


def test_a_long_file_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    peaks = []
    for count in (1_000, 20_000):
        path = tmp_path / f"{count}.csv"
        path.write_text("email,language\n" + "minji@example.com,ko\n" * count, encoding="utf-8")
        tracemalloc.start()
        assert sum(1 for _ in read_rows(path, REQUIRED)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 50_000


# --- writing ------------------------------------------------------------------------


def test_a_written_file_is_private_and_opens_in_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("an older one", encoding="utf-8")
    path.chmod(0o644)
    assert write_private(path, ["email\r\n", "김\r\n"]) == 2
    assert path.read_bytes() == "\ufeffemail\r\n김\r\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_written_completely_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("an older one", encoding="utf-8")

    def interrupted_lines() -> Iterator[str]:
        yield "email\r\n" * 100_000
        raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError, match="is gone"):
        write_private(path, interrupted_lines())
    assert path.read_text(encoding="utf-8") == "an older one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["", "missing/out.csv", "pipe", "file/out.csv"])
def test_a_file_that_cannot_be_written_is_reported_in_one_line_and_not_created(
    tmp_path: Path, name: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    with pytest.raises(CsvError) as caught:
        write_private(tmp_path / name, ["email\r\n"])
    assert str(caught.value).startswith(str(tmp_path / name))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "pipe"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
