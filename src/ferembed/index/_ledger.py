"""Which id and which label each row of an index has, and where an id is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferembed.index.base import IndexStateError
from ferembed.index.growing import GrowingArray


class Ledger:
    """Ids and labels of rows 0..n-1, in the order they came; ids are found by bisection.

    Attributes
    ----------
    next_id : int
        What follows the largest id ever used.
    """

    def __init__(self) -> None:
        self._ids = GrowingArray((), np.int64)
        self._labels = GrowingArray((), np.int64)
        self._order: NDArray[np.int64] | None = None  # rows sorted by id; None where they came sorted
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

    def free_ids(self, count: int) -> NDArray[np.int64]:
        """Integers that follow the largest id ever used."""
        if self.next_id + count > np.iinfo(np.int64).max:
            raise IndexStateError(f"no integers follow the largest id, {self.next_id - 1}: give `ids`.")
        return np.arange(self.next_id, self.next_id + count, dtype=np.int64)

    def check_free(self, ids: NDArray[np.int64]) -> None:
        """Raise IndexStateError unless ids are distinct and not in use."""
        distinct, counts = np.unique(ids, return_counts=True)
        if len(distinct) < len(ids):
            raise IndexStateError(f"id {_listed(distinct[counts > 1])} is given more than once: ids must be distinct.")
        known = ids[self._find(ids) >= 0]
        if len(known):
            raise IndexStateError(f"id {_listed(known)} is already in the index: remove it first, or give another.")

    def append(self, ids: NDArray[np.int64], labels: NDArray[np.int64]) -> None:
        """Add rows whose ids are free."""
        if not len(ids):
            return
        start = len(self)
        ascending = bool(np.all(ids[1:] > ids[:-1])) and (not start or ids[0] > self.ids[-1])
        if self._order is not None or not ascending:
            order = np.arange(start) if self._order is None else self._order
            new = np.argsort(ids)
            self._order = np.insert(order, np.searchsorted(self.ids, ids[new], sorter=order), start + new)
        self._ids.append(ids)
        self._labels.append(labels)
        self.next_id = max(self.next_id, int(ids.max()) + 1)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drop the rows where ``kept`` is False."""
        self._ids.keep(kept)
        self._labels.keep(kept)
        if self._order is not None:
            self._order = (np.cumsum(kept) - 1)[self._order[kept[self._order]]]

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each id.

        Raises
        ------
        IndexStateError
            If an id is not there.
        """
        rows = self._find(ids)
        unknown = ids[rows < 0]
        if len(unknown):
            raise IndexStateError(f"id {_listed(unknown)} is not in the index of {len(self)} vectors.")
        return rows

    def _find(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each id, -1 for an unknown one."""
        if not len(self):
            return np.full(len(ids), -1)
        places = np.minimum(np.searchsorted(self.ids, ids, sorter=self._order), len(self) - 1)
        rows = places if self._order is None else self._order[places]
        return np.where(self.ids[rows] == ids, rows, -1)


def _listed(values: NDArray[np.int64]) -> str:
    """The first few of some ids, for a sentence."""
    shown = ", ".join(str(value) for value in values[:5].tolist())
    return shown if len(values) <= 5 else f"{shown} and {len(values) - 5} more"
