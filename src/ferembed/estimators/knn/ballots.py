"""What each row of a gallery votes for, from hard labels or from annotators' votes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _check_sample_weight

Labels = NDArray[Any]


def label_codes(y: Labels, classes: Labels) -> NDArray[np.int64]:
    """The place of each label in the sorted ``classes``.

    Raises
    ------
    ValueError
        If a label is not there.
    """
    unknown = np.setdiff1d(y, classes)
    if unknown.size:
        raise ValueError(f"labels {unknown.tolist()} are not in classes {classes.tolist()}: name them in `classes`.")
    codes: NDArray[np.int64] = np.searchsorted(classes, y).astype(np.int64)
    return codes


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
    codes: NDArray[np.int64], votes: ArrayLike | None, named: ArrayLike | None, classes: Labels
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
    columns = label_codes(classes if named is None else np.asarray(named), classes)
    given = np.asarray(votes, dtype=np.float64)
    if given.shape != (len(codes), len(columns)):
        raise ValueError(f"votes must have shape ({len(codes)}, {len(columns)}), rows by classes, not {given.shape}.")
    wrong = np.flatnonzero(~(np.isfinite(given) & (given >= 0)).all(axis=1))
    if wrong.size:
        raise ValueError(f"votes must be finite and not negative; row {wrong[0]} is {given[wrong[0]].tolist()}.")
    sums = given.sum(axis=1, keepdims=True)
    marked[:, columns] = given / np.where(sums > 0, sums, 1.0)
    return marked
