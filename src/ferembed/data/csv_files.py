"""Comma-separated tables, row by row, with errors that name file, row and column."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TextIO

from ferembed.data.errors import DataError, fault

_LONGEST_HEADER = 1 << 16


def column_names(path: Path) -> list[str]:
    """The names in the first line, without blanks and quotes; letters that are no UTF-8 are replaced."""
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as file:
        line = file.readline(_LONGEST_HEADER).replace("\0", "")
    return [name.strip() for name in next(csv.reader([line], skipinitialspace=True), [])]


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """The line number (an editor's) and the cells of ``columns`` of every row; blank lines are passed over.

    Blanks around a cell are dropped; one in quotes may hold commas and line ends.

    Raises
    ------
    DataError
        If the file is absent, no UTF-8 or lacks a column, or a row has too few or too many cells.
    """
    if not path.is_file():
        raise DataError(f"{path} is not a file: give the path of a csv with the columns {', '.join(columns)}.")
    names = column_names(path)
    places = column_places(path, names, columns)
    number = 1
    with open(path, newline="", encoding="utf-8-sig") as file:
        try:
            for number, line, cells in _records(file):
                if len(cells) == len(names):
                    if number > 1:
                        yield number, [cells[place].strip() for place in places]
                elif line.strip():
                    short = len(cells) < len(names)
                    hint = "; the file may be cut off here" if short and line[-1] not in "\r\n" else ""
                    problem = f"the row has {len(cells)} cells, not {len(names)}{hint}"
                    raise fault(path, number, names[len(cells) if short else -1], problem)
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"{path} is no UTF-8 CSV near row {number + 1}: {error}.") from error


def column_places(path: Path, names: Sequence[str], columns: Sequence[str]) -> list[int]:
    """Where ``columns`` stand among the names of a table's first row; raises DataError where one is absent."""
    for name in columns:
        if name not in names:
            first = f"has {shown(', '.join(names))}" if any(names) else "is empty"
            raise DataError(f"{path} lacks the column {name!r} in row 1, which {first}.")
    return [names.index(name) for name in columns]


def whole_number(cell: str, highest: int) -> int | None:
    """The cell as an integer from 0 to ``highest``, or None where it is not one."""
    digits = cell.lstrip("0") or "0"
    if not (cell.isascii() and cell.isdigit()) or len(digits) > len(str(highest)) or int(digits) > highest:
        return None
    return int(digits)


def shown(cell: str) -> str:
    """A cell as an error quotes it: at most 40 characters."""
    return repr(cell if len(cell) <= 40 else f"{cell[:37]}...")


def _records(file: TextIO) -> Iterator[tuple[int, str, list[str]]]:
    """The number, the text and the cells of each line; the last line of a record whose quotes hold line ends."""
    number = 0
    for line in file:
        if '"' in line:
            reader = csv.reader(chain([line], file), skipinitialspace=True)
            cells = next(reader, [])
            number += reader.line_num
        else:
            cells = line.split(",")
            number += 1
        yield number, line, cells
