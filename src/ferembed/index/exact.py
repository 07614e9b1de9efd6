"""The index that computes everything: the oracle the others are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.index.growing import GrowingArray
from ferembed.index.lock import calculating
from ferembed.index.stored import Store, StoredIndex, read_array
from ferembed.storage import StorageError

_CHUNK = 256


class MatrixStore(Store):
    """Vectors as the rows of one float32 matrix, with exhaustive search in NumPy; of equals the earlier row is first.

    Parameters
    ----------
    dim : int
        Length of the vectors.
    """

    def __init__(self, dim: int) -> None:
        self._matrix = GrowingArray((dim,), np.float32)

    @property
    def matrix(self) -> NDArray[np.float32]:
        """All rows, as a view that holds until the next change."""
        return self._matrix.rows

    def __len__(self) -> int:
        return len(self._matrix)

    def add(self, vectors: NDArray[np.float32]) -> None:
        self._matrix.append(vectors)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        self._matrix.keep(kept)

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.matrix[rows]

    def search(
        self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        candidates = np.arange(len(self)) if allowed is None else np.flatnonzero(allowed)
        gallery = self.matrix[candidates].astype(np.float64).T
        similarities, rows = [], []
        for start in range(0, len(queries), _CHUNK):
            # Rounding from float64 makes copies tie exactly, whatever order the sums ran in.
            with calculating():
                products = (queries[start : start + _CHUNK].astype(np.float64) @ gallery).astype(np.float32)
            order = np.argsort(-products, axis=1, kind="stable")[:, :k]
            similarities.append(np.take_along_axis(products, order, axis=1))
            rows.append(candidates[order])
        return np.concatenate(similarities), np.concatenate(rows)

    def save(self, folder: Path) -> dict[str, Any]:
        np.save(folder / "vectors.npy", self.matrix, allow_pickle=False)
        return {}

    def load(self, folder: Path, state: dict[str, Any]) -> None:
        vectors = read_array(folder / "vectors.npy", np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.matrix.shape[1]:
            raise StorageError(f"{folder / 'vectors.npy'} has shape {vectors.shape}, not (n, {self.matrix.shape[1]}).")
        self.add(vectors)


class ExactIndex(StoredIndex):
    """Exhaustive search in plain NumPy: slow, simple and deterministic.

    Similarities are computed in float64 and rounded to float32; of equal ones the vector added first comes first.

    Parameters
    ----------
    dim : int
        Length of the vectors.

    Examples
    --------
    >>> index = ExactIndex(2)
    >>> index.add([[3, 0], [0, 2], [1, 1]], ids=[7, 8, 9], labels=[0, 1, 1])
    >>> found = index.search([[1, 0]], k=2)
    >>> found.ids.tolist(), found.similarities.round(3).tolist(), found.labels.tolist()
    ([[7, 9]], [[1.0, 0.707...]], [[0, 1]])
    >>> index.search([[1, 0]], k=1, filter=[1]).ids.tolist()
    [[9]]
    """

    kinds = ("exact",)

    def new_store(self) -> MatrixStore:
        return MatrixStore(self.dim)
