"""The gallery of a nearest-neighbour classifier: an index of unit vectors and what each of its rows votes for."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _check_sample_weight

from ferembed.index.growing import GrowingArray
from ferembed.index.lock import ReadWriteLock
from ferembed.probability import Array, Codes, Weighting, class_codes, soft_vote

if TYPE_CHECKING:
    from ferembed.index import Index


Floats = NDArray[np.floating[Any]]


class Gallery:
    """Rows with a vector in ``index``, a distribution over the classes to vote for, a hard label and a weight.

    Rows are numbered from 0 in the order they came, and keep their numbers; a row number is the vector's id in the
    index. A row whose weight is 0 is not in the index.

    Parameters
    ----------
    index : Index
        Holds the vectors; empty at first.
    classes : int
        Number of classes.

    Attributes
    ----------
    lock : ReadWriteLock
        For the owner to hold: to read for as long as an answer takes, to write while rows or classes change.
    """

    class_mass: NDArray[np.float64]
    _weights: GrowingArray | None
    _neighbours: tuple[NDArray[np.float64], NDArray[np.float64]] | None

    def __init__(self, index: Index, classes: int) -> None:
        self.index = index
        self.lock = ReadWriteLock()
        self._put(np.zeros((0, classes), np.float32), np.zeros(0, np.int64), None)

    @property
    def votes(self) -> NDArray[np.float32]:
        """What each row votes for, (n, c); a view that holds until the next change."""
        return self._votes.rows

    @property
    def codes(self) -> NDArray[np.int64]:
        """Hard labels, (n,), -1 for rows that are not in the index; a view that holds until the next change."""
        return self._codes.rows

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """As how many neighbours each row counts, (n,), None where all were given as 1; holds until the next change.

        Weights that are whole numbers are copies. Others are divided by their mean, so that only ratios matter.
        """
        return None if self._weights is None else self._counted()[0]

    def __len__(self) -> int:
        return len(self.index)

    def add(self, vectors: Floats, votes: Floats, codes: Codes, weights: Floats | None = None) -> None:
        """Append rows: vectors (n, d), votes (n, c), hard labels (n,) and, unless all 1, weights (n,)."""
        start, added = len(self.codes), len(codes)
        if weights is not None and self._weights is None:
            self._weights = grown(np.ones(start))
        given = np.ones(added) if weights is None else weights
        if self._weights is not None:
            self._weights.append(given)
        self._votes.append(votes)
        self._codes.append(np.where(given > 0, codes, -1))
        self.class_mass = self.class_mass + given @ votes
        self._neighbours = None
        kept = np.flatnonzero(given > 0)
        self.index.add(vectors if len(kept) == added else vectors[kept], ids=start + kept)

    def admit(self, columns: Codes, classes: int) -> None:
        """Make room for more classes: the old ones move to ``columns`` of ``classes``."""
        votes = np.zeros((len(self.votes), classes), dtype=np.float32)
        votes[:, columns] = self.votes
        self._put(votes, np.where(self.codes < 0, -1, columns[self.codes]), self._given())

    def forget(self, code: int) -> None:
        """Take out a class: every row with this hard label, and the other rows' votes for it."""
        rows = np.flatnonzero(self.codes == code)
        self.index.remove(rows)
        self.votes[rows] = 0.0
        codes = np.where(self.codes == code, -1, self.codes - (self.codes > code))
        self._put(np.delete(self.votes, code, axis=1), codes, self._given())

    def reach(self, k: int) -> int:
        """Number of nearest rows that surely hold ``k`` units of weight; all rows where there are fewer."""
        if self._weights is None:
            return min(k, len(self))
        return min(int(np.searchsorted(self._counted()[1], k)) + 1, len(self))

    def search(self, queries: Floats, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Cosine similarities and row numbers of the ``count`` nearest rows, both (q, count), nearest first."""
        found = self.index.search(queries, count)
        return found.similarities, found.ids

    def vote(
        self,
        similarities: Array,
        rows: NDArray[np.int64],
        k: int,
        *,
        weighting: Weighting,
        temperature: float,
        balanced: bool,
        smoothing: float,
    ) -> Array:
        """Probabilities (q, c) by the first ``k`` units of row weight among neighbours (q, m), nearest first.

        As :func:`~ferembed.probability.soft_vote`, of which ``balanced`` divides by the votes that the gallery holds.
        """
        near, rows = similarities[:, : self.reach(k)], rows[:, : self.reach(k)]
        return soft_vote(
            near,
            rows,
            self.votes,
            weighting,
            temperature,
            counts=None if self.weights is None else counted(self.weights[rows], k),
            mass=self.class_mass if balanced else None,
            smoothing=smoothing,
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The tables by name; the index saves itself."""
        tables: dict[str, NDArray[Any]] = {"votes": self.votes, "codes": self.codes}
        given = self._given()
        return tables if given is None else {**tables, "weights": given}

    @classmethod
    def from_arrays(cls, index: Index, arrays: Mapping[str, NDArray[Any]]) -> Gallery:
        """A gallery from its index and its tables."""
        gallery = cls(index, arrays["votes"].shape[1])
        gallery._put(arrays["votes"], arrays["codes"], arrays.get("weights"))
        return gallery

    def _given(self) -> NDArray[np.float64] | None:
        return None if self._weights is None else self._weights.rows

    def _counted(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The weights in neighbours, and as how many the lightest 1, 2, ... rows count together."""
        if self._neighbours is None:
            assert self._weights is not None
            given, present = self._weights.rows, self.codes >= 0
            whole = bool((given[present] == np.rint(given[present])).all())
            weights = given.copy() if whole else given / given[present].mean()
            self._neighbours = weights, np.cumsum(np.sort(weights[present]))
        return self._neighbours

    def _put(self, votes: NDArray[np.float32], codes: NDArray[np.int64], weights: NDArray[np.float64] | None) -> None:
        self._votes, self._codes = grown(votes), grown(codes)
        self._weights = None if weights is None else grown(weights)
        present = codes >= 0
        self.class_mass = (present * 1.0 if weights is None else weights * present) @ votes
        self._neighbours = None


def empty_index(index: str | Index, dim: int, size: int) -> Index:
    """An index to fill with ``size`` vectors: of a named kind, or a copy of the empty one that is given.

    Raises
    ------
    ValueError
        If the one given is not empty.
    """
    if isinstance(index, str):
        from ferembed.index import make_index

        return make_index(index, dim, expected_size=size)
    if len(index):
        raise ValueError(f"index must be empty: the one given holds {len(index)} vectors.")
    return deepcopy(index)


def grown(rows: NDArray[Any]) -> GrowingArray:
    """An array that starts with these rows."""
    array = GrowingArray(rows.shape[1:], rows.dtype)
    array.append(rows)
    return array


def counted(row_weights: Floats, k: float) -> NDArray[np.float64]:
    """The part of each neighbour's row weight, (q, m), nearest first, that lies within the first ``k`` units of weight.

    A row of weight 2 so counts as two copies of itself, and a row of weight 0 as none.

    Examples
    --------
    >>> counted(np.array([[1.0, 3.0, 2.0]]), 3).tolist()
    [[1.0, 2.0, 0.0]]
    """
    before = np.cumsum(row_weights, axis=1, dtype=np.float64) - row_weights
    return np.clip(k - before, 0.0, row_weights)


def copies(sample_weight: ArrayLike | None, X: NDArray[Any]) -> NDArray[np.float64] | None:
    """Sample weights, checked; None where all are 1.

    Raises
    ------
    ValueError
        If they are not one finite number of at least 0 for each row of ``X``, or all are 0.
    """
    if sample_weight is None:
        return None
    weights: NDArray[np.float64] = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weights.any():  # scikit-learn 1.8 lets them through
        raise ValueError("sample_weight must be above 0 for some row: all are 0.")
    return None if (weights == 1).all() else weights


def marked_ballots(
    codes: Codes, votes: ArrayLike | None, named: ArrayLike | None, classes: NDArray[Any]
) -> NDArray[np.float32]:
    """What each row votes for: a distribution over ``classes``, or nothing.

    Parameters
    ----------
    codes : ndarray of int64, shape (n,)
        Hard labels; without ``votes`` a row votes for its own.
    votes : array-like of float, shape (n, v), optional
        Not negative; counts or shares. A row of zeros abstains.
    named : array-like, shape (v,), optional
        The class of each column of ``votes``, in any order; ``classes`` where not given.
    classes : ndarray, shape (c,)
        All classes, sorted.

    Returns
    -------
    ndarray of float32, shape (n, c)
        Rows sum to 1, or to 0.

    Raises
    ------
    ValueError
        If the shape of ``votes`` is wrong or a value is negative or not finite.

    Examples
    --------
    >>> classes = np.array(["happy", "sad"])
    >>> marked_ballots(np.array([1, 0]), None, None, classes).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    >>> marked_ballots(np.array([1, 0]), [[3, 1], [0, 0]], ["sad", "happy"], classes).tolist()
    [[0.25, 0.75], [0.0, 0.0]]
    """
    marked = np.zeros((len(codes), len(classes)), dtype=np.float32)
    if votes is None:
        marked[np.arange(len(codes)), codes] = 1.0
        return marked
    columns = class_codes(classes if named is None else named, classes)
    given = np.asarray(votes, dtype=np.float64)
    if given.shape != (len(codes), len(columns)):
        raise ValueError(f"votes must have shape ({len(codes)}, {len(columns)}), rows by classes, not {given.shape}.")
    wrong = np.flatnonzero(~(np.isfinite(given) & (given >= 0)).all(axis=1))
    if wrong.size:
        raise ValueError(f"votes must be finite and not negative; row {wrong[0]} is {given[wrong[0]].tolist()}.")
    sums = given.sum(axis=1, keepdims=True)
    marked[:, columns] = given / np.where(sums > 0, sums, 1.0)
    return marked
