"""Inverted lists: the vectors of each of many cells together, of which a search visits a few (Jégou et al. 2011)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from faiss.contrib import exhaustive_search, inspect_tools, ivf_tools
from numpy.typing import NDArray

from ferembed.index.growing import GrowingArray
from ferembed.index.inputs import unit_rows
from ferembed.index.stored import Store
from ferembed.index.threads import Found, exhaustive, faiss, one_thread, side_by_side
from ferembed.storage import StorageError

_ROUNDS = 8
_TRAINED_ON = 48  # vectors a cell
_GROWTH = 4
_CHUNK = 65536
_SAMPLE = 256
_FILE = "lists.faiss"


def cells_for(size: int) -> int:
    """Number of cells for a gallery: the power of two nearest to four times the root of its size, at least 16."""
    return int(2 ** max(4, round(np.log2(4 * np.sqrt(max(size, 1))))))


class IvfStore(Store):
    """FAISS's inverted lists of float16 vectors, right to about 3e-4; a search visits as many cells as it needs.

    Lists of float32 would take, as they grow, 1.6 times the vectors' memory. FAISS knows each row by a key, a number
    that stays while rows before it are removed; keys ascend with the rows.

    Parameters
    ----------
    dim : int
        Length of the vectors.
    wanted_recall : float
        Share of the ten nearest that the visited cells must hold, on a sample of the gallery.
    """

    _lists: Any

    def __init__(self, dim: int, wanted_recall: float) -> None:
        self._dim = dim
        self._wanted_recall = wanted_recall
        self._keys = GrowingArray((), np.int64)

    @one_thread()
    def build(self, vectors: NDArray[np.float32], planned: int = 0) -> None:
        """Learn the cells from unit vectors (n, d), for ``planned`` of them if that is more, and hold those alone."""
        self._built_for = max(planned, len(vectors))
        cells = min(cells_for(self._built_for), max(1, len(vectors) // 39))
        self._lists = _empty_lists(self._dim, cells)
        step = max(1, len(vectors) // (cells * _TRAINED_ON))
        self._lists.train(np.ascontiguousarray(vectors[::step]))
        self._keys = GrowingArray((), np.int64)
        for start in range(0, len(vectors), _CHUNK):
            self._append(vectors[start : start + _CHUNK])
        self.visited, self._recall = self._tune(vectors)

    def __len__(self) -> int:
        return len(self._keys)

    @one_thread()
    def add(self, vectors: NDArray[np.float32]) -> None:
        """Append unit vectors; the cells are learnt anew when they hold four times what they were learnt for."""
        self._append(vectors)
        if len(self) > _GROWTH * self._built_for:
            self.build(self.vectors(np.arange(len(self))))

    @one_thread()
    def keep(self, kept: NDArray[np.bool_]) -> None:
        self._lists.remove_ids(faiss.IDSelectorArray(self._keys.rows[~kept]))
        self._keys.keep(kept)

    def search(self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None) -> Found:
        """Similarities and rows, best first; where a filter leaves few rows, more cells are visited in proportion."""
        chosen = None if allowed is None else self._chosen(allowed)
        share = 1.0 if allowed is None else np.count_nonzero(allowed) / len(self)
        similarities, keys = self._search(queries, k, int(np.ceil(self.visited / share)), chosen)
        short = np.flatnonzero((keys < 0).any(axis=1))
        if short.size:
            similarities[short], keys[short] = self._search(queries[short], k, self._lists.nlist, chosen)
        return similarities, np.searchsorted(self._keys.rows, keys)

    @one_thread()
    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some rows, decoded and brought to unit length."""
        if not len(rows):
            return np.empty((0, self._dim), np.float32)
        return unit_rows(self._lists.reconstruct_batch(self._keys.rows[rows]), self._dim, "codes")

    def recall(self, queries: NDArray[np.float32] | None = None) -> float:
        """Recall@10 of some unit vectors now, or on a sample of the gallery when the cells were learnt."""
        if queries is None or not len(self):
            return self._recall
        if not len(queries):
            return 1.0
        truth = self._nearest(queries, min(10, len(self)))
        return _recall(self.search(queries, truth.shape[1], None)[1], truth)

    def save(self, folder: Path) -> dict[str, Any]:
        faiss.write_index(self._lists, str(folder / _FILE))
        return {
            "visited": self.visited,
            "recall": self._recall,
            "wanted_recall": self._wanted_recall,
            "built_for": self._built_for,
        }

    def load(self, folder: Path, state: dict[str, Any]) -> None:
        self._lists = _read_lists(folder / _FILE, self._dim)
        self.visited, self._recall = int(state["visited"]), float(state["recall"])
        self._built_for = int(state["built_for"])
        held = [inspect_tools.get_invlist(self._lists.invlists, cell)[0] for cell in range(self._lists.nlist)]
        self._keys.append(np.sort(np.concatenate(held)))

    def _append(self, vectors: NDArray[np.float32]) -> None:
        if not len(vectors):
            return
        cells = side_by_side(lambda part: self._lists.quantizer.search(part, 1), vectors)[1][:, 0]
        start = int(self._keys.rows[-1]) + 1 if len(self) else 0
        keys = np.arange(start, start + len(vectors))
        ivf_tools.add_preassigned(self._lists, vectors, np.ascontiguousarray(cells), keys)
        self._keys.append(keys)

    def _chosen(self, allowed: NDArray[np.bool_]) -> Any:
        """FAISS's selector of the rows where ``allowed``."""
        chosen = np.zeros(self._keys.rows[-1] + 1, dtype=bool)
        chosen[self._keys.rows[allowed]] = True
        return faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))

    def _search(self, queries: NDArray[np.float32], k: int, visited: int, chosen: Any = None) -> Found:
        parameters = faiss.SearchParametersIVF(nprobe=min(visited, self._lists.nlist), sel=chosen)
        return side_by_side(lambda part: self._lists.search(part, k, params=parameters), queries)

    @one_thread()
    def _nearest(self, queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """The rows that are truly nearest to each query, (q, k)."""

        def blocks() -> Iterator[NDArray[np.float32]]:
            for start in range(0, len(self), _CHUNK):
                yield self.vectors(np.arange(start, min(start + _CHUNK, len(self))))

        nearest: NDArray[np.int64] = exhaustive_search.knn_ground_truth(
            queries, blocks(), k, faiss.METRIC_INNER_PRODUCT
        )[1]
        return nearest

    def _tune(self, vectors: NDArray[np.float32]) -> tuple[int, float]:
        """Cells to visit, and recall@10 against exhaustive search, for rows that look for others than themselves."""
        queries = np.ascontiguousarray(vectors[:: max(1, len(vectors) // _SAMPLE)][:_SAMPLE])
        k = min(11, len(vectors))
        truth = exhaustive(queries, vectors, k)[1][:, 1:]
        visited = 1
        while True:
            recall = _recall(self._search(queries, k, visited)[1], truth)
            if visited >= self._lists.nlist or recall >= self._wanted_recall:
                return visited, recall
            visited *= 2

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_lists": faiss.serialize_index(self._lists)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lists = faiss.deserialize_index(state["_lists"])


def _empty_lists(dim: int, cells: int) -> Any:
    quantizer = faiss.IndexFlatIP(dim)
    half = faiss.ScalarQuantizer.QT_fp16
    lists = faiss.IndexIVFScalarQuantizer(quantizer, dim, cells, half, faiss.METRIC_INNER_PRODUCT, False)
    quantizer.this.disown()
    lists.own_fields = True
    lists.cp.niter = _ROUNDS
    lists.cp.min_points_per_centroid = 1
    lists.cp.max_points_per_centroid = 2 * _TRAINED_ON
    lists.cp.spherical = True
    lists.set_direct_map_type(faiss.DirectMap.Hashtable)
    return lists


def _read_lists(path: Path, dim: int) -> Any:
    try:
        lists = faiss.read_index(str(path))
    except RuntimeError as error:
        raise StorageError(f"{path} is not a FAISS index ({error}).") from error
    if not isinstance(lists, faiss.IndexIVFScalarQuantizer) or lists.d != dim:
        raise StorageError(
            f"{path} holds a {type(lists).__name__} of dimension {lists.d}, not a IndexIVFScalarQuantizer of {dim}."
        )
    lists.set_direct_map_type(faiss.DirectMap.Hashtable)
    return lists


def _recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Mean share of each row of ``truth`` (q, k) that stands in the same row of ``found``."""
    if not truth.size:
        return 1.0
    return float(np.mean([np.isin(t, f).mean() for f, t in zip(found, truth, strict=True)]))
