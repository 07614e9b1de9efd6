"""The gallery of a nearest-neighbour classifier: an index of unit vectors and what each of its rows votes for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ferembed.estimators.weights import counted, tally

if TYPE_CHECKING:
    from ferembed.index import Index

Floats = NDArray[np.floating[Any]]


class Gallery:
    """Rows with a vector in ``index``, a distribution over the classes to vote for, a hard label and a weight.

    Rows are numbered from 0 in the order they came, and keep their numbers; a row number is the vector's id in the
    index. A row whose weight is 0 is not in the index.

    Parameters
    ----------
    index : Index
        Holds the vectors; empty at first.
    classes : int
        Number of classes.
    """

    def __init__(self, index: Index, classes: int) -> None:
        self.index = index
        self.votes = np.zeros((0, classes), dtype=np.float32)
        self.codes = np.zeros(0, dtype=np.int64)
        self.weights: NDArray[np.float64] | None = None
        self._measure()

    def __len__(self) -> int:
        return len(self.index)

    def add(self, vectors: Floats, votes: Floats, codes: NDArray[np.int64], weights: Floats | None = None) -> None:
        """Append rows: vectors (n, d), votes (n, c), hard labels (n,) and, unless all 1, weights (n,)."""
        start, added = len(self.codes), len(codes)
        if weights is not None or self.weights is not None:
            before = np.ones(start) if self.weights is None else self.weights
            self.weights = np.concatenate([before, np.ones(added) if weights is None else weights])
        # The tables grow before the index, so that a search beside this call never meets a row without its votes.
        self.votes = np.concatenate([self.votes, votes.astype(np.float32)])
        self.codes = np.concatenate([self.codes, codes])
        rows = np.arange(start, start + added)
        kept = rows if weights is None else rows[weights > 0]
        self.codes[np.setdiff1d(rows, kept)] = -1
        self._measure()
        self.index.add(vectors[kept - start], ids=kept)

    def admit(self, columns: NDArray[np.int64], classes: int) -> None:
        """Make room for more classes: the old ones move to ``columns`` of ``classes``."""
        votes = np.zeros((len(self.votes), classes), dtype=np.float32)
        votes[:, columns] = self.votes
        self.votes = votes
        self.codes = np.where(self.codes < 0, -1, columns[self.codes])
        self._measure()

    def forget(self, code: int) -> None:
        """Take out a class: every row with this hard label, and the other rows' votes for it."""
        rows = np.flatnonzero(self.codes == code)
        self.index.remove(rows)
        self.votes[rows] = 0.0
        self.votes = np.delete(self.votes, code, axis=1)
        self.codes = np.where(self.codes == code, -1, self.codes - (self.codes > code))
        self._measure()

    def reach(self, k: int) -> int:
        """Number of nearest rows that surely hold ``k`` units of weight; all rows where there are fewer."""
        if self._lightest is None:
            return min(k, len(self))
        return min(int(np.searchsorted(self._lightest, k)) + 1, len(self))

    def search(self, queries: Floats, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Cosine similarities and row numbers of the ``count`` nearest rows, both (q, count), nearest first."""
        found = self.index.search(queries, count)
        return found.similarities, found.ids

    def tally(self, weights: Floats, rows: NDArray[np.int64], k: int) -> NDArray[np.float64]:
        """Votes for each class, (q, c), from the first ``k`` units of row weight among neighbours (q, m)."""
        if self.weights is not None:
            weights = weights * counted(self.weights[rows], k)
        return tally(weights, rows, self.votes)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The tables by name; the index saves itself."""
        tables: dict[str, NDArray[Any]] = {"votes": self.votes, "codes": self.codes}
        return tables if self.weights is None else {**tables, "weights": self.weights}

    @classmethod
    def from_arrays(cls, index: Index, arrays: Mapping[str, NDArray[Any]]) -> Gallery:
        """A gallery from its index and its tables."""
        gallery = cls(index, arrays["votes"].shape[1])
        gallery.votes, gallery.codes, gallery.weights = arrays["votes"], arrays["codes"], arrays.get("weights")
        gallery._measure()
        return gallery

    def _measure(self) -> None:
        alive = self.codes >= 0
        weights = alive.astype(np.float64) if self.weights is None else self.weights * alive
        self.class_mass: NDArray[np.float64] = weights @ self.votes
        self._lightest = None if self.weights is None else np.cumsum(np.sort(self.weights[alive]))
