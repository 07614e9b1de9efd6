"""What every index can do, and what a search returns."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

WANTED_RECALL = 0.99
"""Recall@10 that an approximate search must reach where the caller asks for no other."""


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


class Index(ABC):
    """A gallery of unit vectors with ids and labels, searched by cosine similarity.

    Every index may be searched, saved and read by many threads while another changes it: a search sees the gallery
    before a change or after it, never between.

    A subclass that names its ``kinds`` is known to :func:`~ferembed.index.make_index` and
    :func:`~ferembed.index.load_index` from then on.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    """Names under which :func:`~ferembed.index.make_index` makes an index of this class."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for kind in vars(cls).get("kinds", ()):
            other = KINDS.get(kind, cls)
            # A class defined anew, as by a notebook's cell that is run again, takes the place of its older self.
            if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
                raise IndexStateError(f"the kind {kind!r} is {other.__module__}.{other.__qualname__} already.")
            KINDS[kind] = cls

    @classmethod
    @abstractmethod
    def of_kind(cls, kind: str, dim: int, *, expected_size: int | None, wanted_recall: float) -> Self:
        """An empty index, as :func:`~ferembed.index.make_index` was asked for it."""

    @property
    def kind(self) -> str:
        """The structure searched at present."""
        return self.kinds[0]

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length of the vectors."""

    @property
    @abstractmethod
    def ids(self) -> NDArray[np.int64]:
        """Ids in the order they were added, shape (n,); a copy."""

    @property
    @abstractmethod
    def labels(self) -> NDArray[np.int64]:
        """Labels in the order they were added, shape (n,); a copy."""

    @abstractmethod
    def __len__(self) -> int: ...

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kind={self.kind!r}, dim={self.dim}, n={len(self)})"

    @abstractmethod
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

    @abstractmethod
    def remove(self, ids: ArrayLike) -> None:
        """Remove vectors by id; all of them, or none where an error is raised.

        Raises
        ------
        IndexStateError
            If an id is not in the index.
        """

    @abstractmethod
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

    @abstractmethod
    def reconstruct(self, ids: ArrayLike) -> NDArray[np.float32]:
        """The unit vectors of some ids, shape (n, d).

        Raises
        ------
        IndexStateError
            If an id is not in the index.
        """

    @abstractmethod
    def labels_of(self, ids: ArrayLike) -> NDArray[np.int64]:
        """The labels of some ids, shape (n,).

        Raises
        ------
        IndexStateError
            If an id is not in the index.
        """

    @abstractmethod
    def recall(self, queries: ArrayLike | None = None) -> float:
        """Recall@10, the share of the ten nearest that a search finds: 1 while the search is exact.

        Parameters
        ----------
        queries : array-like of float, shape (q, d), optional
            Vectors to measure it on, now, against every vector that the index holds. Give held-out ones, like those to
            be asked later. Without them it is the recall of 256 of the gallery's own vectors, each looking for others
            than itself, measured when the cells of ``"ivf"`` were learnt: more than queries unlike the gallery find.

        Raises
        ------
        IndexStateError
            If the shape of ``queries`` is wrong or a value is not finite.
        """

    @abstractmethod
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index into the folder ``path``, whole or not at all, with a manifest of checksums."""

    @classmethod
    @abstractmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an index written by :meth:`save`.

        Raises
        ------
        StorageError
            If the folder is missing, truncated, altered, or not an index of this class.
        """


KINDS: dict[str, type[Index]] = {}
"""The class of each kind of index. Those that FAISS serves are there once :mod:`ferembed.index.faiss_index` is."""
