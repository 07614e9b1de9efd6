"""The indexes that FAISS serves: exact at first, approximate where the gallery is large or the caller says so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ferembed.index._files import read_array
from ferembed.index._flat import FlatStore
from ferembed.index._hnsw import HnswStore
from ferembed.index.base import IndexStateError
from ferembed.index.inputs import positive
from ferembed.index.ivf import WANTED_RECALL, IvfStore, cells_for
from ferembed.index.stored import StoredIndex

if TYPE_CHECKING:
    from typing_extensions import Self

Kind = Literal["auto", "flat", "hnsw", "ivf", "ivfpq"]

FLAT_UP_TO = 500_000
"""Vectors that ``"auto"`` searches exactly."""

LISTS_FROM = 10_000
"""Vectors from which ``"ivf"`` and ``"ivfpq"`` learn their cells."""

_LEARNT_FROM = 64
"""Vectors a cell from which a large gallery, announced by ``expected_size``, learns its cells."""


class FaissIndex(StoredIndex):
    """Vectors searched by FAISS, one thread a search, several for a batch of 256 queries or more.

    Parameters
    ----------
    dim : int
        Length of the vectors.
    kind : {"auto", "flat", "hnsw", "ivf", "ivfpq"}, default="auto"
        ``"flat"``
            Exact. A few queries at a time are answered from upper bounds along the gallery's principal directions,
            which spare most of the work where embeddings lie close to a few directions.
        ``"hnsw"``
            A graph, 32 links a vector: fast from the first vector on, at about 1.6 times the vectors' memory (d = 128).
            What is removed stays as a tombstone until a quarter is.
        ``"ivf"``
            Inverted lists of float16 vectors: similarities and reconstructed vectors are right to about 3e-4, at 0.8
            times the memory of float32. Below 10,000 vectors the search is exact; then cells are learnt, and again
            whenever the gallery is four times what they were learnt for. As many cells are visited as give a
            recall@10 of ``wanted_recall`` on a sample of the gallery.
        ``"ivfpq"``
            The same with product codes, a byte for four numbers: a sixteenth of the memory, similarities and
            reconstructed vectors approximate. The cells are learnt once.
        ``"auto"``
            ``"flat"`` up to 500,000 vectors, then ``"ivf"``, which alone of the others reaches ``wanted_recall`` in
            the memory of the vectors: a graph takes more, and codes lose neighbours that no wider search brings
            back. The addition that crosses the line takes the time to learn the cells, and for that time twice the
            memory.
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

    _store: FlatStore | HnswStore | IvfStore

    def __init__(
        self,
        dim: int,
        kind: Kind = "auto",
        *,
        expected_size: int | None = None,
        wanted_recall: float = WANTED_RECALL,
    ) -> None:
        if kind not in get_args(Kind):
            raise IndexStateError(f"kind must be one of {', '.join(get_args(Kind))}, not {kind!r}.")
        if not 0 < wanted_recall <= 1:
            raise IndexStateError(f"wanted_recall must be above 0 and at most 1, not {wanted_recall}.")
        self._wanted: Kind = kind
        self._wanted_recall = wanted_recall
        self._expected = 0 if expected_size is None else positive(expected_size, "expected_size")
        super().__init__(dim)

    @property
    def kind(self) -> str:
        """As asked for; under ``"auto"`` the structure at present, ``"flat"`` or ``"ivf"``."""
        if self._wanted != "auto":
            return self._wanted
        return "ivf" if isinstance(self._store, IvfStore) else "flat"

    def _empty_store(self) -> FlatStore | HnswStore:
        return HnswStore(self.dim) if self._wanted == "hnsw" else FlatStore(self.dim)

    def _grown(self) -> None:
        if isinstance(self._store, FlatStore) and len(self._store) >= self._lists_from():
            coding: Literal["ivf", "ivfpq"] = "ivfpq" if self._wanted == "ivfpq" else "ivf"
            self._store = IvfStore(self._store.matrix, coding, self._expected, self._wanted_recall)

    def _lists_from(self) -> float:
        """Number of vectors from which cells are learnt."""
        if self._wanted in ("flat", "hnsw"):
            return float("inf")
        if self._wanted == "auto" and self._expected <= FLAT_UP_TO:
            return FLAT_UP_TO + 1
        return max(LISTS_FROM, min(self._expected, _LEARNT_FROM * cells_for(self._expected)))

    def _save_store(self, folder: Path) -> dict[str, Any]:
        structure = {FlatStore: "flat", HnswStore: "hnsw"}.get(type(self._store), self.kind)
        state: dict[str, Any] = self._store.save(folder)
        return {
            "kind": self._wanted,
            "structure": structure,
            "expected_size": self._expected,
            "wanted_recall": self._wanted_recall,
            "store": state,
        }

    def _load_store(self, folder: Path, config: dict[str, Any]) -> None:
        structure = config["structure"]
        if structure == "flat":
            self._store = FlatStore(self.dim)
            self._store.load(folder)
        elif structure == "hnsw":
            self._store = HnswStore.load(folder, self.dim, read_array(folder / "nodes.npy", np.int64))
        else:
            self._store = IvfStore.load(folder, self.dim, structure, config["store"])

    @classmethod
    def _from_config(cls, config: dict[str, Any]) -> Self:
        return cls(
            config["dim"],
            config["kind"],
            expected_size=config["expected_size"] or None,
            wanted_recall=config.get("wanted_recall", WANTED_RECALL),
        )
