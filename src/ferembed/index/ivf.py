"""Inverted lists: the vectors of each of many cells together, of which a search visits a few (Jégou et al. 2011)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ferembed.index._faiss import faiss
from ferembed.index._hnsw import read_faiss
from ferembed.index._selection import completed, nearest, own_neighbours, recall, selector
from ferembed.index.growing import GrowingArray
from ferembed.index.inputs import unit_rows
from ferembed.index.threads import Found, one_thread, side_by_side

Coding = Literal["ivf", "ivfpq"]

WANTED_RECALL = 0.99
"""Share of the ten nearest that the visited cells must hold where the caller asks for no other."""

_ROUNDS = 8
_TRAINED_ON = 48  # vectors a cell
_GROWTH = 4
_CHUNK = 65536
_FILE = "lists.faiss"


def cells_for(size: int) -> int:
    """Number of cells for a gallery: the power of two nearest to four times the root of its size, at least 16."""
    return int(2 ** max(4, round(np.log2(4 * np.sqrt(max(size, 1))))))


class IvfStore:
    """FAISS's inverted lists, with the rows of the gallery as their ids and the cell of each row beside them.

    ``"ivf"`` holds float16 vectors, right to about 3e-4: FAISS's lists of float32 would take, as they grow, 1.6 times
    the vectors' memory. ``"ivfpq"`` holds codes of one byte for each four numbers, compared and decoded roughly.
    As many cells are visited as make the recall good on a sample. FAISS's own id maps do not survive removals from
    inverted lists, hence the rows are renumbered here.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, d)
        Unit vectors to learn the cells from and to hold.
    coding : {"ivf", "ivfpq"}
        What the lists hold.
    planned : int
        Size to choose the number of cells for.
    wanted_recall : float
        Share of the ten nearest that the visited cells must hold, on a sample of the gallery.
    """

    def __init__(
        self,
        vectors: NDArray[np.float32],
        coding: Coding,
        planned: int = 0,
        wanted_recall: float = WANTED_RECALL,
    ) -> None:
        self.coding = coding
        self._wanted_recall = wanted_recall
        self._dim = vectors.shape[1]
        self._build(vectors, planned)

    @one_thread()
    def _build(self, vectors: NDArray[np.float32], planned: int) -> None:
        cells = min(cells_for(max(planned, len(vectors))), max(1, len(vectors) // 39))
        self._lists = _empty_lists(self._dim, cells, self.coding)
        step = max(1, len(vectors) // (cells * _TRAINED_ON))
        self._lists.train(np.ascontiguousarray(vectors[::step]))
        self._cells = GrowingArray((), np.int32)
        self._built_for = max(planned, len(vectors))
        for start in range(0, len(vectors), _CHUNK):
            self._append(vectors[start : start + _CHUNK])
        self.visited, self._recall = self._tune(vectors)

    def __len__(self) -> int:
        return len(self._cells)

    @one_thread()
    def add(self, vectors: NDArray[np.float32]) -> None:
        """Append unit vectors; lists of whole vectors are built anew when they hold four times what they were for."""
        self._append(vectors)
        if self.coding == "ivf" and len(self) > _GROWTH * self._built_for:
            self._build(self._decoded(np.arange(len(self))), 0)

    @one_thread()
    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drop the rows where ``kept`` is False."""
        self._lists.remove_ids(selector(~kept))
        self._cells.keep(kept)
        renumbered = np.cumsum(kept) - 1
        for cell in range(self._lists.nlist):
            rows = self._rows_in(cell)
            rows[:] = renumbered[rows]

    def search(self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None) -> Found:
        """Similarities and rows, best first; where a filter leaves few rows, more cells are visited in proportion."""
        share = 1.0 if allowed is None else float(np.count_nonzero(allowed)) / len(self)
        found = self._search(queries, k, int(np.ceil(self.visited / share)), allowed)
        return completed(found, queries, lambda short: self._search(short, k, self._lists.nlist, allowed))

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Some rows, decoded and brought to unit length."""
        return unit_rows(self._decoded(rows), self._dim, "codes")

    @one_thread()
    def _decoded(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        if not len(rows):
            return np.empty((0, self._dim), np.float32)
        cells = self._cells.rows[rows].astype(np.int64)
        codes = np.empty((len(rows), self._lists.code_size), np.uint8)
        order = np.argsort(cells, kind="stable")
        wanted, starts = np.unique(cells[order], return_index=True)
        for cell, group in zip(wanted.tolist(), np.split(order, starts[1:]), strict=True):
            held = self._rows_in(cell)
            by_row = np.argsort(held)
            places = by_row[np.searchsorted(held, rows[group], sorter=by_row)]
            codes[group] = self._codes_in(cell)[places]
        decoded = np.empty((len(rows), self._dim), np.float32)
        self._lists.decode_vectors(len(rows), *map(faiss.swig_ptr, (codes, cells, decoded)))
        return decoded

    def recall(self, queries: NDArray[np.float32] | None = None) -> float:
        """Recall@10 of some unit vectors now, or on a sample of the gallery when the lists were built."""
        if queries is None or not len(self):
            return self._recall
        truth = nearest(queries, self.vectors, len(self))
        return recall(self.search(queries, truth.shape[1], None)[1], truth)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the lists; what is returned belongs into the configuration."""
        faiss.write_index(self._lists, str(folder / _FILE))
        return {
            "visited": self.visited,
            "recall": self._recall,
            "wanted_recall": self._wanted_recall,
            "built_for": self._built_for,
        }

    @classmethod
    def load(cls, folder: Path, dim: int, coding: Coding, config: dict[str, Any]) -> IvfStore:
        """Read what :meth:`save` wrote."""
        store = cls.__new__(cls)
        store.coding, store._dim = coding, dim
        store._lists = read_faiss(folder / _FILE, type(_empty_lists(dim, 1, coding)), dim)
        store.visited, store._recall = int(config["visited"]), float(config["recall"])
        store._built_for = int(config["built_for"])
        store._wanted_recall = float(config.get("wanted_recall", WANTED_RECALL))
        cells = np.empty(store._lists.ntotal, np.int32)
        for cell in range(store._lists.nlist):
            cells[store._rows_in(cell)] = cell
        store._cells = GrowingArray((), np.int32)
        store._cells.append(cells)
        return store

    def _append(self, vectors: NDArray[np.float32]) -> None:
        if not len(vectors):
            return
        _, nearest = side_by_side(lambda part: self._lists.quantizer.search(part, 1), vectors)
        rows = np.arange(len(self), len(self) + len(vectors))
        self._lists.add_core(len(vectors), *map(faiss.swig_ptr, (vectors, rows, nearest)))
        self._cells.append(nearest[:, 0])

    def _search(self, queries: NDArray[np.float32], k: int, visited: int, allowed: NDArray[np.bool_] | None) -> Found:
        parameters = faiss.SearchParametersIVF(nprobe=min(visited, self._lists.nlist))
        if allowed is not None:
            chosen = selector(allowed)
            parameters.sel = chosen
        return side_by_side(lambda part: self._lists.search(part, k, params=parameters), queries)

    def _tune(self, vectors: NDArray[np.float32]) -> tuple[int, float]:
        """Cells to visit, and recall@10 against exhaustive search, for rows that look for others than themselves."""
        queries, truth = own_neighbours(vectors)
        k = truth.shape[1] + 1
        # Codes lose neighbours that no number of cells brings back: what counts is what all cells would find.
        reachable = truth if self.coding == "ivf" else self._search(queries, k, self._lists.nlist, None)[1][:, 1:]
        visited = 1
        while True:
            found = self._search(queries, k, visited, None)[1]
            if visited >= self._lists.nlist or recall(found, reachable) >= self._wanted_recall:
                return visited, recall(found, truth)
            visited *= 2

    def _rows_in(self, cell: int) -> NDArray[np.int64]:
        """The rows of a cell, as a view into its list."""
        lists = self._lists.invlists
        size = lists.list_size(cell)
        if not size:
            return np.zeros(0, np.int64)
        rows: NDArray[np.int64] = faiss.rev_swig_ptr(lists.get_ids(cell), size)
        return rows

    def _codes_in(self, cell: int) -> NDArray[np.uint8]:
        lists, width = self._lists.invlists, self._lists.code_size
        codes: NDArray[np.uint8] = faiss.rev_swig_ptr(lists.get_codes(cell), lists.list_size(cell) * width)
        return codes.reshape(-1, width)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_lists": faiss.serialize_index(self._lists)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lists = faiss.deserialize_index(state["_lists"])


def _empty_lists(dim: int, cells: int, coding: Coding) -> Any:
    quantizer = faiss.IndexFlatIP(dim)
    if coding == "ivf":
        half = faiss.ScalarQuantizer.QT_fp16
        lists = faiss.IndexIVFScalarQuantizer(quantizer, dim, cells, half, faiss.METRIC_INNER_PRODUCT, False)
    else:
        parts = next(p for p in range(max(1, dim // 4), 0, -1) if dim % p == 0)
        lists = faiss.IndexIVFPQ(quantizer, dim, cells, parts, 8, faiss.METRIC_INNER_PRODUCT)
        lists.pq.cp.niter = _ROUNDS
    quantizer.this.disown()
    lists.own_fields = True
    lists.cp.niter = _ROUNDS
    lists.cp.min_points_per_centroid = 1
    lists.cp.max_points_per_centroid = 2 * _TRAINED_ON
    lists.cp.spherical = True
    return lists
