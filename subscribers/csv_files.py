"""CSV files (RFC 4180) of anything: rows of named cells, read as a stream and written whole or not at all.

Cells that a spreadsheet would run as a formula get an apostrophe in front on the way out and lose
it on the way in.
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

LONGEST_LINE = 65_536  # characters; a file without line ends is no CSV
SURPLUS = ""  # the name of the cells that no column has
_DELIMITERS = (",", ";", "\t")
_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")  # what OWASP names, behind any apostrophes


class SheetError(Exception):
    """The file cannot be read or written; the message says why in one line."""


def read_rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The line and the cells, by column, of each row that is not empty.

    The delimiter is a comma, a semicolon or a tab: whichever finds most of the `needed` columns.

    Raises:
        SheetError: it is no CSV in UTF-8, or lacks a column; perhaps only after some rows.
    """
    if path.exists() and not path.is_file():
        raise SheetError(f"{path} is no ordinary file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _parsed(file, path, needed)
    except UnicodeDecodeError:
        raise SheetError(f"{path} is not UTF-8 text: save it as CSV in UTF-8") from None
    except OSError as error:
        raise SheetError(f"{path} cannot be read: {error.strerror}") from None


def _parsed(file: TextIO, path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    lines = _lines(file, path)
    header = next(lines, "")
    delimiter, columns = _columns(header, path, needed)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    begin = 2
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                named = dict(zip(columns, cells, strict=False))
                surplus = "".join(cells[len(columns) :]).strip()
                yield begin, {name: _restored(cell) for name, cell in named.items()} | {SURPLUS: surplus}
            begin = reader.line_num + 2
    except csv.Error as error:
        raise SheetError(f"{path}, line {begin}: this is no CSV: {error}") from None


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise SheetError(f"{path} has a line of over {LONGEST_LINE:,} characters: this is no CSV")
        yield line


def _columns(header: str, path: Path, needed: Sequence[str]) -> tuple[str, list[str]]:
    """The delimiter, and the names of the columns in small letters."""
    tried = {
        delimiter: [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
        for delimiter in _DELIMITERS
    }
    delimiter = max(_DELIMITERS, key=lambda each: sum(name in tried[each] for name in needed))
    names = tried[delimiter]
    missing = [name for name in needed if name not in names]
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if missing:
        raise SheetError(f"{path}: the first line names no column {', '.join(missing)}")
    if twice:
        raise SheetError(f"{path}: the first line names {', '.join(twice)} twice")
    return delimiter, names


def spell_row(cells: Iterable[object]) -> str:
    """A row as a line, with its line end, of which no spreadsheet runs a part."""
    text = io.StringIO()
    csv.writer(text).writerow([_neutral(str(cell)) for cell in cells])
    return text.getvalue()


def _neutral(cell: str) -> str:
    """The cell as no spreadsheet runs it."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _restored(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def write_private(path: Path, lines: Iterable[str]) -> int:
    """Write a file whole or not at all, for its owner only, as spreadsheets read UTF-8; counts the lines.

    Raises:
        SheetError: it cannot be written.
    """
    if path.exists() and not path.is_file():
        raise SheetError(f"{path} is no ordinary file")
    fresh = path.with_name(f".{secrets.token_hex(8)}.csv")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as file:
            count = sum(bool(file.write(line)) for line in lines)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError as error:
        raise SheetError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            fresh.unlink()
    return count
