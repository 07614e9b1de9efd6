"""Exact search over a matrix: screened for a few queries, by FAISS's exhaustive search for many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferembed.index._screen import Screen
from ferembed.index.exact import MatrixStore
from ferembed.index.lock import calculating
from ferembed.index.threads import Found, exhaustive, one_thread

_SCREENED_FROM = 4096
_BATCH = 32  # from so many queries on, one matrix product for all is faster than a screen for each (measured)


class FlatStore(MatrixStore):
    """Rows of one float32 matrix; from 4,096 rows on a screen spares most of the work where the vectors allow it."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self._screen: Screen | None = None
        self._screened_at = 0

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Append unit vectors. The screen's directions are chosen anew when the rows have doubled."""
        super().add(vectors)
        with calculating():
            if len(self) >= max(_SCREENED_FROM, 2 * self._screened_at):
                self._screen = Screen.fit(self.matrix)
                self._screened_at = len(self)
            elif self._screen is not None:
                self._screen.add(vectors)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drop the rows where ``kept`` is False."""
        super().keep(kept)
        if self._screen is not None:
            self._screen.keep(kept)

    def search(self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None) -> Found:
        """Similarities and rows, best first."""
        screened = self._screened(queries, k, allowed) if len(queries) < _BATCH else None
        if screened is not None:
            return screened
        if allowed is None:
            return exhaustive(queries, self.matrix, k)
        rows = np.flatnonzero(allowed)
        similarities, places = exhaustive(queries, self.matrix[rows], k)
        return similarities, rows[places]

    @one_thread()
    def _screened(self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None) -> Found | None:
        if self._screen is None:
            return None
        found = []
        for query in queries:
            with calculating():
                one = self._screen.search(query, k, self.matrix, allowed)
            if one is None:
                return None
            found.append(one)
        similarities, rows = zip(*found, strict=True)
        return np.array(similarities), np.array(rows)
