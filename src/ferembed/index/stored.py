"""The part all kinds of index share: ids, labels, locking, and a folder on disk around a store of vectors."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.index._ledger import Ledger
from ferembed.index.base import Index, IndexStateError, SearchResult
from ferembed.index.inputs import integers, positive, unit_rows
from ferembed.index.lock import ReadWriteLock
from ferembed.storage import StorageError, atomic_folder, read_folder, write_json

_FORMAT = "ferembed-index-1"


class Store(ABC):
    """Where an index keeps its vectors: rows 0..n-1 in the order they came, without ids, labels or locks."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def add(self, vectors: NDArray[np.float32]) -> None:
        """Append unit vectors (n, d)."""

    @abstractmethod
    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drop the rows where ``kept`` (n,) is False; the others close up in their order."""

    @abstractmethod
    def search(
        self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Similarities and rows, (q, k), best first. There are at least ``k >= 1`` rows where ``allowed`` (n,)."""

    @abstractmethod
    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Copies of some rows."""

    def recall(self, queries: NDArray[np.float32] | None = None) -> float:
        """Recall@10 of some unit vectors (q, d), or of a sample of the rows; 1 where the search is exact."""
        return 1.0

    @abstractmethod
    def save(self, folder: Path) -> dict[str, Any]:
        """Write the rows into files of a folder; what else :meth:`load` needs is returned, and kept as JSON."""

    @abstractmethod
    def load(self, folder: Path, state: dict[str, Any]) -> None:
        """Fill an empty store with what :meth:`save` wrote and returned."""


class StoredIndex(Index):
    """An index over a :class:`Store`; see :class:`~ferembed.index.Index` for what it promises.

    Parameters
    ----------
    dim : int
        Length of the vectors.
    """

    def __init__(self, dim: int) -> None:
        self._dim = positive(dim, "dim")
        self._ledger = Ledger()
        self._lock = ReadWriteLock()
        self._store = self.new_store()

    @abstractmethod
    def new_store(self) -> Store:
        """An empty store of :attr:`dim` numbers a vector."""

    def grown(self) -> None:
        """Called after each addition, under the writer's lock."""

    def settings(self) -> dict[str, Any]:
        """What :meth:`from_config` needs beside the length of the vectors; kept as JSON."""
        return {"kind": self.kind}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """An empty index that is to be filled from disk."""
        return cls(config["dim"])

    @classmethod
    def of_kind(cls, kind: str, dim: int, *, expected_size: int | None, wanted_recall: float) -> Self:
        return cls(dim)

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def ids(self) -> NDArray[np.int64]:
        with self._lock.read():
            return self._ledger.ids.copy()

    @property
    def labels(self) -> NDArray[np.int64]:
        with self._lock.read():
            return self._ledger.labels.copy()

    def __len__(self) -> int:
        return len(self._ledger)

    def add(self, vectors: ArrayLike, ids: ArrayLike | None = None, labels: ArrayLike | None = None) -> None:
        rows = unit_rows(vectors, self.dim, "vectors")
        given = None if ids is None else integers(ids, "ids", len(rows))
        classes = np.zeros(len(rows), np.int64) if labels is None else integers(labels, "labels", len(rows))
        with self._lock.write():
            if given is None:
                given = self._ledger.free_ids(len(rows))
            else:
                self._ledger.check_free(given)
            self._store.add(rows)
            self._ledger.append(given, classes)
            self.grown()

    def remove(self, ids: ArrayLike) -> None:
        wanted = integers(ids, "ids")
        with self._lock.write():
            kept = np.ones(len(self._ledger), dtype=bool)
            kept[self._ledger.rows_of(wanted)] = False
            if not kept.all():
                self._store.keep(kept)
                self._ledger.keep(kept)

    def search(self, queries: ArrayLike, k: int, *, filter: Sequence[int] | None = None) -> SearchResult:
        vectors = unit_rows(queries, self.dim, "queries")
        k = positive(k, "k")
        wanted = None if filter is None else integers(filter, "filter")
        result = SearchResult(
            np.full((len(vectors), k), -np.inf, np.float32),
            np.full((len(vectors), k), -1, np.int64),
            np.full((len(vectors), k), -1, np.int64),
        )
        with self._lock.read():
            allowed = None if wanted is None else np.isin(self._ledger.labels, wanted)
            found = min(k, len(self) if allowed is None else int(np.count_nonzero(allowed)))
            if found and len(vectors):
                similarities, rows = self._store.search(vectors, found, allowed)
                result.similarities[:, :found] = similarities
                result.ids[:, :found] = self._ledger.ids[rows]
                result.labels[:, :found] = self._ledger.labels[rows]
        return result

    def reconstruct(self, ids: ArrayLike) -> NDArray[np.float32]:
        wanted = integers(ids, "ids")
        with self._lock.read():
            return self._store.vectors(self._ledger.rows_of(wanted))

    def labels_of(self, ids: ArrayLike) -> NDArray[np.int64]:
        wanted = integers(ids, "ids")
        with self._lock.read():
            return self._ledger.labels[self._ledger.rows_of(wanted)]

    def recall(self, queries: ArrayLike | None = None) -> float:
        asked = None if queries is None else unit_rows(queries, self.dim, "queries")
        with self._lock.read():
            return self._store.recall(asked)

    def save(self, path: str | os.PathLike[str]) -> None:
        with self._lock.read(), atomic_folder(path) as folder:
            np.save(folder / "ids.npy", self._ledger.ids, allow_pickle=False)
            np.save(folder / "labels.npy", self._ledger.labels, allow_pickle=False)
            config = {
                "format": _FORMAT,
                "class": type(self).__name__,
                "dim": self.dim,
                "count": len(self),
                "next_id": self._ledger.next_id,
                **self.settings(),
                "store": self._store.save(folder),
            }
            write_json(folder / "config.json", config)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        return read_folder(path, cls._read)

    @classmethod
    def _read(cls, folder: Path) -> Self:
        config = read_config(folder)
        if config["class"] != cls.__name__:
            raise StorageError(
                f"{folder} holds a {config['class']}, not a {cls.__name__}: use ferembed.index.load_index."
            )
        try:
            index = cls.from_config(config)
            ids, labels = read_array(folder / "ids.npy", np.int64), read_array(folder / "labels.npy", np.int64)
            index._store.load(folder, config["store"])
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

    def __getstate__(self) -> dict[str, Any]:
        with self._lock.read():
            return self.__dict__.copy()


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a saved index.

    Raises
    ------
    StorageError
        If it is missing or foreign.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{folder} holds no readable config.json: it is not an index ({error}).") from error
    if not isinstance(config, dict) or config.get("format") != _FORMAT:
        raise StorageError(
            f"{folder / 'config.json'} does not describe a {_FORMAT}: it is not an index of this version."
        )
    return config


def read_array(path: Path, dtype: Any) -> NDArray[Any]:
    """An array file, which must be of one dtype; nothing in it is run."""
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} is not an array file ({error}).") from error
    if array.dtype != dtype:
        raise StorageError(f"{path} holds {array.dtype}, where {np.dtype(dtype)} was saved.")
    return array
