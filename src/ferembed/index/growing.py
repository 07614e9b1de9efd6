"""An array whose rows are appended in amortised constant time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_HEADROOM = 1.5
_SPARE = 4  # a buffer of more than so many times its rows is given back
_AT_ONCE = 1024


class GrowingArray:
    """Rows of one shape and dtype at the head of a larger buffer.

    The spare part of the buffer is never written, so that the system gives it no memory until rows come.

    Parameters
    ----------
    row_shape : tuple of int
        Shape of one row; ``()`` for a vector of numbers.
    dtype : dtype
        Type of the entries.
    """

    def __init__(self, row_shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._buffer: NDArray[Any] = np.empty((0, *row_shape), dtype=dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def rows(self) -> NDArray[Any]:
        """The rows, as a view that holds until the next change."""
        return self._buffer[: self._size]

    def append(self, rows: NDArray[Any]) -> None:
        """Put rows at the end."""
        needed = self._size + len(rows)
        if needed > len(self._buffer):
            grown = np.empty((int(needed * _HEADROOM) + 16, *self._buffer.shape[1:]), self._buffer.dtype)
            grown[: self._size] = self.rows
            self._buffer = grown
        self._buffer[self._size : needed] = rows
        self._size = needed

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drop the rows where ``kept`` is False; the others close up in their order."""
        place = int(np.argmin(kept)) if len(kept) else 0
        if not len(kept) or kept[place]:
            return
        # Closed up where they are, a part at a time: to get as much fresh memory would take many times as long.
        for start in range(place, self._size, _AT_ONCE):
            part = self.rows[start : start + _AT_ONCE][kept[start : start + _AT_ONCE]]
            self._buffer[place : place + len(part)] = part
            place += len(part)
        self._size = place
        if place < len(self._buffer) // _SPARE:
            self._buffer = self.rows.copy()

    def __getstate__(self) -> dict[str, Any]:
        return {"_buffer": self.rows.copy(), "_size": self._size}
