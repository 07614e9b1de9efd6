"""Plain comma-separated tables, line by line, with errors that name file, row and column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ferembed.data.errors import DataError, fault

_LONGEST_HEADER = 1 << 16
_PADDING = b' "\t\r\n'


def column_names(path: Path) -> list[str]:
    """The names on the first line, without blanks and quotes; empty where that line is no text."""
    with open(path, "rb") as file:
        return _names(file.readline(_LONGEST_HEADER))


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[bytes]]]:
    """The line number and the cells of ``columns`` of every line after the header; blank lines are passed over.

    Cells must not hold commas; blanks and quotes around them are dropped.

    Raises
    ------
    DataError
        If the file is absent or empty, lacks a column, or a line has too few or too many cells.
    """
    if not path.is_file():
        raise DataError(f"{path} is not a file: give the path of a csv with the columns {', '.join(columns)}.")
    with open(path, "rb") as file:
        header = file.readline(_LONGEST_HEADER)
        if not header.strip():
            raise DataError(f"{path} is empty or starts with a blank line, not with the columns {', '.join(columns)}.")
        names = _names(header)
        missing = [name for name in columns if name not in names]
        if missing:
            start = header[:60].decode("utf-8", "backslashreplace").strip()
            raise DataError(f"{path} lacks the column {missing[0]!r} in row 1, which starts with {start!r}.")
        places = [names.index(name) for name in columns]
        for number, line in enumerate(file, start=2):
            cells = line.split(b",")
            if len(cells) == len(names):
                yield number, [cells[place].strip(_PADDING) for place in places]
            elif line.strip():
                short = len(cells) < len(names)
                name = names[len(cells) if short else -1]
                hint = "; the file is cut off here: fetch it again" if short and not line.endswith(b"\n") else ""
                raise fault(path, number, name, f"the row has {len(cells)} cells, not {len(names)}{hint}")


def whole_number(cell: bytes, highest: int) -> int | None:
    """The cell as an integer from 0 to ``highest``, or None where it is not one."""
    digits = cell.lstrip(b"0") or b"0"
    if not cell.isdigit() or len(digits) > len(str(highest)) or int(digits) > highest:
        return None
    return int(digits)


def shown(cell: bytes) -> str:
    """A cell as an error quotes it: at most 40 characters."""
    text = cell.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


def _names(header: bytes) -> list[str]:
    text = header.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    return [name.strip(' "\t\r\n') for name in text.split(",")]
