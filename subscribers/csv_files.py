"""CSV files (RFC 4180): rows of named cells, read as a stream and written completely or not at all.

A cell that a spreadsheet would run as a formula gets an apostrophe in front when it is written, and loses it
when it is read.
"""

import csv
import io
import os
import re
import secrets
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from core.errors import PaperboyError

MAX_LINE_CHARACTERS = 65_536  # a file without line ends is not a CSV file
MAX_LINES_PER_ROW = 20  # with line breaks in cells
_DELIMITERS = (",", ";", "\t")
_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")  # what OWASP lists, after any apostrophes


class CsvError(PaperboyError):
    """The file cannot be read or written. The message says why in one line."""


@dataclass(frozen=True)
class CsvRow:
    """A row with the line in which it begins. `surplus` is what stands beyond the last column.

    A row that cannot be read has no cells, and a `problem`.
    """

    line: int
    cells: dict[str, str]
    surplus: str = ""
    problem: str = ""


def read_rows(
    path: Path, required: Sequence[str], renamed: Mapping[str, str] = MappingProxyType({})
) -> Iterator[CsvRow]:
    """The rows that are not empty, with their cells by column.

    The delimiter is a comma, a semicolon or a tab: the one with which most `required` columns are found. `renamed` gives
    the names of the file's columns, in lower case, other names.

    Raises:
        CsvError: the file is not CSV in UTF-8, or lacks a column. It may be raised only after some rows.
    """
    if path.exists() and not path.is_file():
        raise CsvError(f"{path} is not an ordinary file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _parsed(file, path, required, renamed)
    except UnicodeDecodeError:
        raise CsvError(f"{path} is not UTF-8 text: save it as CSV in UTF-8") from None
    except OSError as error:
        raise CsvError(f"{path} cannot be read: {error.strerror}") from None


def _parsed(
    file: TextIO, path: Path, required: Sequence[str], renamed: Mapping[str, str]
) -> Iterator[CsvRow]:
    lines = _lines(file, path)
    delimiter, columns = _columns(next(lines, ""), path, required, renamed)
    line = 2
    ahead: deque[str] = deque()
    while ahead or (next_line := next(lines, "")):
        ahead.extend([] if ahead else [next_line])
        cells, length, problem = _first_row(ahead, lines, delimiter)
        if problem:
            yield CsvRow(line, {}, problem=problem)
        elif any(map(str.strip, cells)):
            named = {name: _restored(cell) for name, cell in zip(columns, cells, strict=False)}
            yield CsvRow(line, named, "".join(cells[len(columns) :]).strip())
        for _ in range(length):
            ahead.popleft()
        line += length


def _first_row(ahead: deque[str], lines: Iterator[str], delimiter: str) -> tuple[list[str], int, str]:
    """The cells of the row that begins with the first line `ahead`, of how many lines it is, and what is wrong with it.

    A cell in quotation marks can have line breaks, so further lines are read ahead. If the quotation mark is never closed,
    or something else is wrong then, only the first line is refused, and the next row may begin right after it.
    """
    problem = ""
    for length in range(1, MAX_LINES_PER_ROW + 1):
        if length > len(ahead):
            if not (following := next(lines, "")):
                break
            ahead.append(following)
        try:
            return next(csv.reader(list(islice(ahead, length)), delimiter=delimiter, strict=True)), length, ""
        except csv.Error as error:
            if "unexpected end of data" not in str(error):
                problem = problem or str(error)
                break
    return (
        [],
        1,
        f"this is not CSV: {problem}" if problem and length == 1 else "a quotation mark is not closed",
    )


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    while line := file.readline(MAX_LINE_CHARACTERS):
        if len(line) == MAX_LINE_CHARACTERS:
            raise CsvError(f"{path} has a line of over {MAX_LINE_CHARACTERS:,} characters: this is not CSV")
        yield line


def _columns(
    header: str, path: Path, required: Sequence[str], renamed: Mapping[str, str]
) -> tuple[str, list[str]]:
    """The delimiter, and the names of the columns in lower case."""
    names_by_delimiter = {
        delimiter: [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
        for delimiter in _DELIMITERS
    }
    wanted = set(renamed) | set(required)
    delimiter = max(_DELIMITERS, key=lambda each: sum(name in names_by_delimiter[each] for name in wanted))
    found = names_by_delimiter[delimiter]
    if unknown := [name for name in renamed if name not in found]:
        raise CsvError(f"{path}: the first line names no column {', '.join(unknown)}, but {', '.join(found)}")
    names = [renamed.get(name, name) for name in found]
    missing = [name for name in required if name not in names]
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if missing:
        raise CsvError(f"{path}: the first line names no column {', '.join(missing)}, but {', '.join(found)}")
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
