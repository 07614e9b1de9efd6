"""Which id and which label each row of an index has, and where an id is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferembed.index.growing import GrowingArray

_RECENT = 1024
"""Ids looked up in a dictionary before they are sorted in with the rest."""


class Ledger:
    """Ids and labels of rows 0..n-1, in the order they came.

    Most ids are found by bisection in a sorted order (8 bytes an id), the latest in a small dictionary.
    """

    def __init__(self) -> None:
        self._ids = GrowingArray((), np.int64)
        self._labels = GrowingArray((), np.int64)
        self._order: NDArray[np.int64] | None = None  # rows sorted by id; None where they came sorted
        self._sorted = 0
        self._recent: dict[int, int] = {}
        self.next_id = 0

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> NDArray[np.int64]:
        """A view that holds until the next change."""
        return self._ids.rows

    @property
    def labels(self) -> NDArray[np.int64]:
        """A view that holds until the next change."""
        return self._labels.rows

    def append(self, ids: NDArray[np.int64], labels: NDArray[np.int64]) -> None:
        """Add rows whose ids are new and distinct."""
        if not len(ids):
            return
        start = len(self)
        ascending = bool(np.all(ids[1:] > ids[:-1])) and (not start or ids[0] > self.ids[-1])
        self._ids.append(ids)
        self._labels.append(labels)
        self.next_id = max(self.next_id, int(ids.max()) + 1)
        if ascending and self._order is None and self._sorted == start:
            self._sorted = len(self)
            return
        self._recent.update(zip(ids.tolist(), range(start, len(self)), strict=True))
        if len(self._recent) > max(_RECENT, self._sorted // 8):
            self._sort()

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drop the rows where ``kept`` is False."""
        self._ids.keep(kept)
        self._labels.keep(kept)
        if self._recent:
            self._sort()
            return
        self._sorted = len(self)
        if self._order is not None:
            self._order = (np.cumsum(kept) - 1)[self._order[kept[self._order]]]

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each id, -1 for an unknown one."""
        known = self.ids[: self._sorted]
        places = np.searchsorted(known, ids, sorter=self._order)
        places[places == self._sorted] = 0
        rows = places if self._order is None else self._order[places] if self._sorted else places
        rows = np.where(known[rows] == ids, rows, -1) if self._sorted else np.full(len(ids), -1)
        if self._recent:
            rows = np.array([self._recent.get(i, row) for i, row in zip(ids.tolist(), rows.tolist(), strict=True)])
        return rows.astype(np.int64)

    def _sort(self) -> None:
        self._sorted = len(self)
        self._recent = {}
        ids = self.ids
        in_order = bool(np.all(ids[1:] > ids[:-1]))
        self._order = None if in_order else np.argsort(ids, kind="stable")
