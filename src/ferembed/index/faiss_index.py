"""The indexes that FAISS serves: exact at first, approximate where the gallery is large or the caller says so."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ferembed.index.base import WANTED_RECALL, IndexStateError
from ferembed.index.exact import MatrixStore
from ferembed.index.inputs import positive
from ferembed.index.ivf import IvfStore, cells_for
from ferembed.index.stored import StoredIndex
from ferembed.index.threads import Found, exhaustive

FLAT_UP_TO = 500_000
"""Vectors that ``"auto"`` searches exactly."""

LISTS_FROM = 10_000
"""Vectors from which ``"ivf"`` learns its cells."""

_LEARNT_FROM = 64
"""Vectors a cell from which a large gallery, announced by ``expected_size``, learns its cells."""


class FlatStore(MatrixStore):
    """Rows of one float32 matrix, searched exhaustively by FAISS; of equals any may come first."""

    def search(self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None) -> Found:
        if allowed is None:
            return exhaustive(queries, self.matrix, k)
        rows = np.flatnonzero(allowed)
        similarities, places = exhaustive(queries, self.matrix[rows], k)
        return similarities, rows[places]


class FaissIndex(StoredIndex):
    """Vectors searched by FAISS, one thread a search, several for a batch of 256 queries or more.

    Parameters
    ----------
    dim : int
        Length of the vectors.
    kind : {"auto", "flat", "ivf"}, default="auto"
        ``"flat"``
            Exact.
        ``"ivf"``
            Inverted lists of float16 vectors: similarities and reconstructed vectors are right to about 3e-4, at 0.9
            times the memory of float32. Below 10,000 vectors the search is exact; then cells are learnt, and again
            whenever the gallery is four times what they were learnt for. As many cells are visited as give a
            recall@10 of ``wanted_recall`` on a sample of the gallery.
        ``"auto"``
            ``"flat"`` up to 500,000 vectors, then ``"ivf"``. The addition that crosses the line takes the time to
            learn the cells, and for that time twice the memory.
    expected_size : int, optional
        How large the gallery will be: ``"auto"`` and ``"ivf"`` learn cells for that size, earlier.
    wanted_recall : float in (0, 1], default=0.99
        What the cells that a search of inverted lists visits must reach; a lower one is quicker.

    See Also
    --------
    ferembed.index.ExactIndex : The same answers as ``"flat"`` in plain NumPy.

    Notes
    -----
    FAISS: Douze et al., "The Faiss library" (2024). Of equal similarities any may come first.

    Each search keeps FAISS to one OpenMP thread in the thread that calls it, so that a process may fork after it.

    Examples
    --------
    >>> index = FaissIndex(2)
    >>> index.add([[3, 0], [0, 2], [1, 1]], ids=[70, 80, 90], labels=[0, 1, 1])
    >>> index.remove([70])
    >>> index.search([[1, 0]], k=3).ids.tolist()
    [[90, 80, -1]]
    """

    kinds = ("auto", "flat", "ivf")
    _store: FlatStore | IvfStore

    def __init__(
        self, dim: int, kind: str = "auto", *, expected_size: int | None = None, wanted_recall: float = WANTED_RECALL
    ) -> None:
        if kind not in self.kinds:
            raise IndexStateError(f"kind must be one of {', '.join(self.kinds)}, not {kind!r}.")
        if not 0 < wanted_recall <= 1:
            raise IndexStateError(f"wanted_recall must be above 0 and at most 1, not {wanted_recall}.")
        self._wanted = kind
        self._wanted_recall = wanted_recall
        self._expected = 0 if expected_size is None else positive(expected_size, "expected_size")
        super().__init__(dim)

    @classmethod
    def of_kind(cls, kind: str, dim: int, *, expected_size: int | None, wanted_recall: float) -> Self:
        return cls(dim, kind, expected_size=expected_size, wanted_recall=wanted_recall)

    @property
    def kind(self) -> str:
        """As asked for; under ``"auto"`` the structure at present, ``"flat"`` or ``"ivf"``."""
        return self._structure if self._wanted == "auto" else self._wanted

    @property
    def _structure(self) -> str:
        return "ivf" if isinstance(self._store, IvfStore) else "flat"

    def new_store(self) -> FlatStore:
        return FlatStore(self.dim)

    def grown(self) -> None:
        if isinstance(self._store, FlatStore) and len(self._store) >= self._lists_from():
            lists = IvfStore(self.dim, self._wanted_recall)
            lists.build(self._store.matrix, self._expected)
            self._store = lists

    def _lists_from(self) -> float:
        """Number of vectors from which cells are learnt."""
        if self._wanted == "flat":
            return float("inf")
        if self._wanted == "auto" and self._expected <= FLAT_UP_TO:
            return FLAT_UP_TO + 1
        return max(LISTS_FROM, min(self._expected, _LEARNT_FROM * cells_for(self._expected)))

    def settings(self) -> dict[str, Any]:
        return {
            "kind": self._wanted,
            "structure": self._structure,
            "expected_size": self._expected,
            "wanted_recall": self._wanted_recall,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        recall = config.get("wanted_recall", WANTED_RECALL)
        index = cls(config["dim"], config["kind"], expected_size=config["expected_size"] or None, wanted_recall=recall)
        if config["structure"] == "ivf":
            index._store = IvfStore(index.dim, recall)
        return index
