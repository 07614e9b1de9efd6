"""What every index can do, and what a search returns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from typing_extensions import Self


class IndexStateError(ValueError):
    """Vectors, ids or settings that an index cannot take; the sentence says which, and what would be right."""


class SearchResult(NamedTuple):
    """The nearest vectors of each query, best first.

    Attributes
    ----------
    similarities : ndarray of float32, shape (q, k)
        Inner products of unit vectors, -1 to 1; ``-inf`` where there were fewer than ``k``.
    ids : ndarray of int64, shape (q, k)
        -1 where there were fewer.
    labels : ndarray of int64, shape (q, k)
        -1 where there were fewer.
    """

    similarities: NDArray[np.float32]
    ids: NDArray[np.int64]
    labels: NDArray[np.int64]


@runtime_checkable
class Index(Protocol):
    """A gallery of unit vectors with ids and labels, searched by cosine similarity.

    Every index may be searched, saved and read by many threads while another changes it: a search sees the gallery
    before a change or after it, never between.
    """

    @property
    def kind(self) -> str:
        """``"exact"``, ``"flat"``, ``"hnsw"``, ``"ivf"`` or ``"ivfpq"``: the structure searched."""
        ...

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        ...

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids in the order they were added, shape (n,)."""
        ...

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels in the order they were added, shape (n,)."""
        ...

    def __len__(self) -> int: ...

    def add(self, vectors: ArrayLike, ids: ArrayLike | None = None, labels: ArrayLike | None = None) -> None:
        """Add vectors (n, d); they are brought to unit length. All are added, or none."""
        ...

    def remove(self, ids: ArrayLike) -> None:
        """Remove vectors by id. All are removed, or none."""
        ...

    def search(self, queries: ArrayLike, k: int, *, filter: Sequence[int] | None = None) -> SearchResult:
        """The ``k`` most similar vectors of each query, among those labelled as in ``filter`` if it is given."""
        ...

    def reconstruct(self, ids: ArrayLike) -> NDArray[np.float32]:
        """The unit vectors of some ids, (n, d)."""
        ...

    def labels_of(self, ids: ArrayLike) -> NDArray[np.int64]:
        """The labels of some ids, (n,)."""
        ...

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index into a folder of its own, whole or not at all, with checksums."""
        ...

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what :meth:`save` wrote; what is truncated, altered or foreign is refused."""
        ...

    def recall(self, queries: ArrayLike | None = None) -> float:
        """Share of the ten nearest that a search finds; 1 where it is exact.

        Without ``queries`` it is the share for a sample of the gallery's own vectors; queries unlike them find less.
        """
        ...


class Store(Protocol):
    """Where an index keeps its vectors: rows 0..n-1 in the order they came, without ids, labels or locks."""

    def __len__(self) -> int: ...

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Append unit vectors (n, d)."""
        ...

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drop the rows where ``kept`` (n,) is False; the others close up in their order."""
        ...

    def search(
        self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Similarities and rows, (q, k), best first. There are at least ``k >= 1`` rows where ``allowed`` (n,)."""
        ...

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Copies of some rows."""
        ...

    def recall(self, queries: NDArray[np.float32] | None = None) -> float:
        """Recall@10 of some unit vectors (q, d), or of a sample of the rows."""
        ...
