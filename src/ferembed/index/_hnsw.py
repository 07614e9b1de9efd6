"""A navigable small-world graph (Malkov and Yashunin 2018) that can forget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.index._faiss import faiss
from ferembed.index._selection import completed, nearest, own_neighbours, recall, selector
from ferembed.index.growing import GrowingArray
from ferembed.index.threads import Found, exhaustive, one_thread, side_by_side
from ferembed.storage import StorageError

_LINKS = 32
_BREADTH = 128
_BUILD_BREADTH = 80
_DEAD_SHARE = 0.25
_FEW_SHARE = 0.1
_FILE = "graph.faiss"


class HnswStore:
    """FAISS's graph over vectors it never drops: removed ones stay as nodes to walk over, and are not returned.

    When a quarter of the nodes are dead the graph is built again from the living ones. A filter that leaves less than
    a tenth of the rows is answered exhaustively: a graph finds little among so few.
    """

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self._clear()

    def _clear(self) -> None:
        self._graph = faiss.IndexHNSWFlat(self._dim, _LINKS, faiss.METRIC_INNER_PRODUCT)
        self._graph.hnsw.efConstruction = _BUILD_BREADTH
        self._nodes = GrowingArray((), np.int64)  # the node of each row, ascending

    def __len__(self) -> int:
        return len(self._nodes)

    @one_thread()
    def add(self, vectors: NDArray[np.float32]) -> None:
        """Append unit vectors, one node each."""
        start = self._graph.ntotal
        self._graph.add(vectors)
        self._nodes.append(np.arange(start, self._graph.ntotal))

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drop the rows where ``kept`` is False."""
        self._nodes.keep(kept)
        if len(self) < (1 - _DEAD_SHARE) * self._graph.ntotal:
            living = self.vectors(np.arange(len(self)))
            self._clear()
            self.add(living)

    def search(self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None) -> Found:
        """Similarities and rows, best first."""
        nodes = self._nodes.rows if allowed is None else self._nodes.rows[allowed]
        if len(nodes) < _FEW_SHARE * self._graph.ntotal:
            return self._among(nodes, queries, k)
        parameters = faiss.SearchParametersHNSW()
        parameters.efSearch = max(_BREADTH, 2 * k)
        if len(nodes) < self._graph.ntotal:
            living = np.zeros(self._graph.ntotal, dtype=bool)
            living[nodes] = True
            chosen = selector(living)
            parameters.sel = chosen
        found = side_by_side(lambda part: self._graph.search(part, k, params=parameters), queries)
        similarities, found_nodes = completed(found, queries, lambda short: self._by_node(nodes, short, k))
        return similarities, np.searchsorted(self._nodes.rows, found_nodes)

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Copies of some rows."""
        copies: NDArray[np.float32] = self._matrix()[self._nodes.rows[rows]]
        return copies

    def recall(self, queries: NDArray[np.float32] | None = None) -> float:
        """Recall@10 of some unit vectors, or of a sample of the gallery, measured now."""
        if not len(self):
            return 1.0
        if queries is not None:
            truth = nearest(queries, self.vectors, len(self))
            return recall(self.search(queries, truth.shape[1], None)[1], truth)
        queries, truth = own_neighbours(self._matrix()[self._nodes.rows])
        return recall(self.search(queries, truth.shape[1] + 1, None)[1], truth)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the graph and the nodes of the rows."""
        faiss.write_index(self._graph, str(folder / _FILE))
        np.save(folder / "nodes.npy", self._nodes.rows, allow_pickle=False)
        return {}

    @classmethod
    def load(cls, folder: Path, dim: int, nodes: NDArray[np.int64]) -> HnswStore:
        """Read what :meth:`save` wrote."""
        store = cls(dim)
        store._graph = read_faiss(folder / _FILE, faiss.IndexHNSWFlat, dim)
        store._nodes.append(nodes)
        return store

    def _among(self, nodes: NDArray[np.int64], queries: NDArray[np.float32], k: int) -> Found:
        similarities, found = self._by_node(nodes, queries, k)
        return similarities, np.searchsorted(self._nodes.rows, found)

    def _by_node(self, nodes: NDArray[np.int64], queries: NDArray[np.float32], k: int) -> Found:
        similarities, places = exhaustive(queries, self._matrix()[nodes], k)
        return similarities, nodes[places]

    def _matrix(self) -> NDArray[np.float32]:
        """Every node's vector, as a view that holds until the next change."""
        n = self._graph.ntotal
        if not n:
            return np.zeros((0, self._dim), np.float32)
        flat: NDArray[np.float32] = faiss.rev_swig_ptr(
            faiss.downcast_index(self._graph.storage).get_xb(), n * self._dim
        )
        return flat.reshape(n, self._dim)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_graph": faiss.serialize_index(self._graph)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._graph = faiss.deserialize_index(state["_graph"])


def read_faiss(path: Path, kind: Any, dim: int) -> Any:
    """A FAISS index of one class and dimension from its file."""
    try:
        index = faiss.read_index(str(path))
    except RuntimeError as error:
        raise StorageError(f"{path} is not a FAISS index ({error}).") from error
    if not isinstance(index, kind) or index.d != dim:
        raise StorageError(
            f"{path} holds a {type(index).__name__} of dimension {index.d}, not a {kind.__name__} of {dim}."
        )
    return index
