"""The error of every reader."""

from __future__ import annotations

from pathlib import Path


class DataError(ValueError):
    """A data file or folder cannot be used as it is; the sentence says where and what would be right."""


def fault(path: Path, row: int, column: str, problem: str) -> DataError:
    """The error for one cell; ``row`` is the line number an editor shows (the header is line 1)."""
    return DataError(f"{path}, row {row}, column {column!r}: {problem}.")
