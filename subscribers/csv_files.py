"""CSV files (RFC 4180): rows of named cells, read as a stream and written completely or not at all.

A cell that a spreadsheet would run as a formula gets an apostrophe in front when it is written, and loses it
when it is read.
"""

import csv
import io
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from core.errors import PaperboyError

MAX_LINE_CHARACTERS = 65_536  # a file without line ends is not a CSV file
SURPLUS = ""  # the name under which cells beyond the last column are given
_DELIMITERS = (",", ";", "\t")
_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")  # what OWASP lists, after any apostrophes


class CsvError(PaperboyError):
    """The file cannot be read or written. The message says why in one line."""


def read_rows(path: Path, required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The line number and the cells by column of each row that is not empty.

    The delimiter is a comma, a semicolon or a tab: the one with which most `required` columns are found.

    Raises:
        CsvError: the file is not CSV in UTF-8, or lacks a column. It may be raised only after some rows.
    """
    if path.exists() and not path.is_file():
        raise CsvError(f"{path} is not an ordinary file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _parsed(file, path, required)
    except UnicodeDecodeError:
        raise CsvError(f"{path} is not UTF-8 text: save it as CSV in UTF-8") from None
    except OSError as error:
        raise CsvError(f"{path} cannot be read: {error.strerror}") from None


def _parsed(file: TextIO, path: Path, required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    lines = _lines(file, path)
    header = next(lines, "")
    delimiter, columns = _columns(header, path, required)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    first_line = 2
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                named = dict(zip(columns, cells, strict=False))
                surplus = "".join(cells[len(columns) :]).strip()
                yield first_line, {name: _restored(cell) for name, cell in named.items()} | {SURPLUS: surplus}
            first_line = reader.line_num + 2
    except csv.Error as error:
        raise CsvError(f"{path}, line {first_line}: this is not CSV: {error}") from None


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    while line := file.readline(MAX_LINE_CHARACTERS):
        if len(line) == MAX_LINE_CHARACTERS:
            raise CsvError(f"{path} has a line of over {MAX_LINE_CHARACTERS:,} characters: this is not CSV")
        yield line


def _columns(header: str, path: Path, required: Sequence[str]) -> tuple[str, list[str]]:
    """The delimiter, and the names of the columns in lower case."""
    names_by_delimiter = {
        delimiter: [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
        for delimiter in _DELIMITERS
    }
    delimiter = max(_DELIMITERS, key=lambda each: sum(name in names_by_delimiter[each] for name in required))
    names = names_by_delimiter[delimiter]
    missing = [name for name in required if name not in names]
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if missing:
        raise CsvError(f"{path}: the first line names no column {', '.join(missing)}")
    if twice:
        raise CsvError(f"{path}: the first line names {', '.join(twice)} twice")
    return delimiter, names


def format_row(cells: Iterable[object]) -> str:
    """A row as a line with its line end. No spreadsheet runs any part of it."""
    text = io.StringIO()
    csv.writer(text).writerow([_neutralized(str(cell)) for cell in cells])
    return text.getvalue()


def _neutralized(cell: str) -> str:
    """The cell in a form that no spreadsheet runs."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _restored(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def write_private(path: Path, lines: Iterable[str]) -> int:
    """Write a file completely or not at all, readable by its owner only, with the BOM that spreadsheets expect.

    Returns the number of lines.

    Raises:
        CsvError: the file cannot be written.
    """
    if path.exists() and not path.is_file():
        raise CsvError(f"{path} is not an ordinary file")
    fresh = path.with_name(f".{secrets.token_hex(8)}.csv")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as file:
            count = sum(bool(file.write(line)) for line in lines)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError as error:
        raise CsvError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            fresh.unlink()
    return count
