"""The part all kinds of index share: ids, labels, locking, and a folder on disk around a store of vectors."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.index._files import FORMAT, read_array, read_config
from ferembed.index.base import IndexStateError, SearchResult, Store
from ferembed.index.inputs import integers, listed, positive, unit_rows
from ferembed.index.ledger import Ledger
from ferembed.index.lock import ReadWriteLock
from ferembed.storage import StorageError, atomic_folder, read_folder, write_json

if TYPE_CHECKING:
    from typing_extensions import Self


class StoredIndex(ABC):
    """An index over a :class:`~ferembed.index.base.Store`; see :class:`~ferembed.index.Index` for what it promises.

    Parameters
    ----------
    dim : int
        Length of the vectors.
    """

    def __init__(self, dim: int) -> None:
        self._dim = positive(dim, "dim")
        self._ledger = Ledger()
        self._lock = ReadWriteLock()
        self._store = self._empty_store()

    @property
    @abstractmethod
    def kind(self) -> str:
        """The structure searched at present."""

    @abstractmethod
    def _empty_store(self) -> Store: ...

    @abstractmethod
    def _save_store(self, folder: Path) -> dict[str, Any]:
        """Write the vectors into ``folder`` and return what the configuration must hold about them."""

    @abstractmethod
    def _load_store(self, folder: Path, config: dict[str, Any]) -> None: ...

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self._dim

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids in the order they were added, shape (n,); a copy."""
        with self._lock.read():
            return self._ledger.ids.copy()

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels in the order they were added, shape (n,); a copy."""
        with self._lock.read():
            return self._ledger.labels.copy()

    def __len__(self) -> int:
        return len(self._ledger)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kind={self.kind!r}, dim={self.dim}, n={len(self)})"

    def add(self, vectors: ArrayLike, ids: ArrayLike | None = None, labels: ArrayLike | None = None) -> None:
        """Add vectors; all of them, or none where an error is raised.

        Parameters
        ----------
        vectors : array-like of float, shape (n, d)
            Any finite vectors; they are stored at unit length. A vector of zeros stays zero and is similar to nothing.
        ids : array-like of int, shape (n,), optional
            Any distinct numbers of 64 bits; where not given, the integers that follow the largest ever used, from 0.
        labels : array-like of int, shape (n,), optional
            Classes, to filter by and to read back; 0 where not given.

        Raises
        ------
        IndexStateError
            If a shape is wrong, a value is not finite, or an id is given twice or already there.
        """
        rows = unit_rows(vectors, self.dim, "vectors")
        given = None if ids is None else integers(ids, "ids", len(rows))
        classes = np.zeros(len(rows), np.int64) if labels is None else integers(labels, "labels", len(rows))
        with self._lock.write():
            chosen = self._next_ids(len(rows)) if given is None else self._new_ids(given)
            self._store.add(rows)
            self._ledger.append(chosen, classes)
            self._grown()

    def remove(self, ids: ArrayLike) -> None:
        """Remove vectors by id; all of them, or none where an error is raised.

        Raises
        ------
        IndexStateError
            If an id is not in the index.
        """
        wanted = integers(ids, "ids")
        with self._lock.write():
            rows = self._rows(wanted)
            if len(rows):
                kept = np.ones(len(self._ledger), dtype=bool)
                kept[rows] = False
                self._store.keep(kept)
                self._ledger.keep(kept)

    def search(self, queries: ArrayLike, k: int, *, filter: Sequence[int] | None = None) -> SearchResult:
        """The most similar vectors of each query.

        Parameters
        ----------
        queries : array-like of float, shape (q, d)
            Any finite vectors; they are brought to unit length.
        k : int
            How many to find, at least 1. Where the index, or the filter, leaves fewer, the result is padded.
        filter : sequence of int, optional
            Labels to search among; all where not given.

        Returns
        -------
        SearchResult
            Similarities, ids and labels, each (q, k), best first.

        Raises
        ------
        IndexStateError
            If the shape is wrong, a value is not finite, or ``k`` is below 1.
        """
        vectors = unit_rows(queries, self.dim, "queries")
        k = positive(k, "k")
        wanted = None if filter is None else integers(filter, "filter")
        with self._lock.read():
            allowed = None if wanted is None else np.isin(self._ledger.labels, wanted)
            available = len(self._ledger) if allowed is None else int(np.count_nonzero(allowed))
            found = min(k, available)
            if not found or not len(vectors):
                return _padding(len(vectors), k)
            similarities, rows = self._store.search(vectors, found, allowed)
            ids, labels = self._ledger.ids[rows], self._ledger.labels[rows]
        if found == k:
            return SearchResult(similarities, ids, labels)
        padding = _padding(len(vectors), k - found)
        return SearchResult(
            np.hstack([similarities, padding.similarities]),
            np.hstack([ids, padding.ids]),
            np.hstack([labels, padding.labels]),
        )

    def reconstruct(self, ids: ArrayLike) -> NDArray[np.float32]:
        """The unit vectors of some ids, shape (n, d).

        Raises
        ------
        IndexStateError
            If an id is not in the index.
        """
        wanted = integers(ids, "ids")
        with self._lock.read():
            return self._store.vectors(self._rows(wanted))

    def labels_of(self, ids: ArrayLike) -> NDArray[np.int64]:
        """The labels of some ids, shape (n,).

        Raises
        ------
        IndexStateError
            If an id is not in the index.
        """
        wanted = integers(ids, "ids")
        with self._lock.read():
            return self._ledger.labels[self._rows(wanted)]

    def recall(self, queries: ArrayLike | None = None) -> float:
        """Recall@10, the share of the ten nearest that a search finds: 1 while the search is exact.

        Parameters
        ----------
        queries : array-like of float, shape (q, d), optional
            Vectors to measure it on, now, against every vector that the index holds (``"ivfpq"``: its decoded codes).
            Give held-out ones, like those to be asked later. Without them it is the recall of 256 of the gallery's own
            vectors, each looking for others than itself: more than queries unlike the gallery find. For ``"ivf"`` and
            ``"ivfpq"`` that was measured when the cells were learnt, for ``"hnsw"`` it is measured now.

        Raises
        ------
        IndexStateError
            If the shape of ``queries`` is wrong or a value is not finite.
        """
        asked = None if queries is None else unit_rows(queries, self.dim, "queries")
        with self._lock.read():
            return self._store.recall(asked)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index into the folder ``path``, whole or not at all, with a manifest of checksums."""
        with self._lock.read(), atomic_folder(path) as folder:
            np.save(folder / "ids.npy", self._ledger.ids, allow_pickle=False)
            np.save(folder / "labels.npy", self._ledger.labels, allow_pickle=False)
            config = {
                "format": FORMAT,
                "class": type(self).__name__,
                "dim": self.dim,
                "count": len(self),
                "next_id": self._ledger.next_id,
                **self._save_store(folder),
            }
            write_json(folder / "config.json", config)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an index written by :meth:`save`.

        Raises
        ------
        StorageError
            If the folder is missing, truncated, altered, or not an index of this class.
        """
        return read_folder(path, cls._read)

    @classmethod
    def _read(cls, folder: Path) -> Self:
        config = read_config(folder)
        if config["class"] != cls.__name__:
            raise StorageError(
                f"{folder} holds a {config['class']}, not a {cls.__name__}: use ferembed.index.load_index."
            )
        try:
            index = cls._from_config(config)
            ids, labels = read_array(folder / "ids.npy", np.int64), read_array(folder / "labels.npy", np.int64)
            index._load_store(folder, config)
            index._ledger.append(ids, labels)
            index._ledger.next_id = int(config["next_id"])
            count = int(config["count"])
        except (KeyError, TypeError, IndexStateError) as error:
            raise StorageError(f"{folder / 'config.json'} does not describe an index ({error}).") from error
        if not count == len(ids) == len(labels) == len(index._store):
            raise StorageError(
                f"{folder} is inconsistent: {count} vectors are announced, but {len(ids)} ids are there."
            )
        return index

    @classmethod
    def _from_config(cls, config: dict[str, Any]) -> Self:
        return cls(config["dim"])

    def _grown(self) -> None:  # noqa: B027
        """Called under the writer's lock after each addition."""

    def _rows(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        rows = self._ledger.rows_of(ids)
        unknown = ids[rows < 0]
        if len(unknown):
            raise IndexStateError(f"id {listed(unknown)} is not in the index of {len(self)} vectors.")
        return rows

    def _next_ids(self, count: int) -> NDArray[np.int64]:
        start = self._ledger.next_id
        if start + count > np.iinfo(np.int64).max:
            raise IndexStateError(f"no integers follow the largest id, {start - 1}: give `ids`.")
        return np.arange(start, start + count, dtype=np.int64)

    def _new_ids(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        distinct, counts = np.unique(ids, return_counts=True)
        if len(distinct) < len(ids):
            raise IndexStateError(f"id {listed(distinct[counts > 1])} is given more than once: ids must be distinct.")
        known = ids[self._ledger.rows_of(ids) >= 0]
        if len(known):
            raise IndexStateError(f"id {listed(known)} is already in the index: remove it first, or give another.")
        return ids

    def __getstate__(self) -> dict[str, Any]:
        with self._lock.read():
            return self.__dict__.copy()


def _padding(queries: int, k: int) -> SearchResult:
    none = np.full((queries, k), -1, np.int64)
    return SearchResult(np.full((queries, k), -np.inf, np.float32), none, none.copy())
