"""Which ``k`` and temperature make a gallery's own labels likeliest, and what either may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.estimators.knn.gallery import Gallery
from ferembed.estimators.saved import is_count, is_number
from ferembed.probability import WEIGHTINGS, Floats, first_of_the_best, safe_log

Vote = Callable[[Floats, NDArray[np.int64], int, float], Floats]

K_GRID: tuple[int, ...] = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200)
"""Neighbour counts tried for ``k="auto"``."""

TEMPERATURE_GRID: tuple[float, ...] = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
"""Softmax temperatures tried for ``temperature="auto"``."""

QUERIES = 2048
"""Gallery rows that are asked, drawn at random from a larger gallery."""


def likeliest_vote(
    gallery: Gallery,
    vote: Vote,
    X: NDArray[Any],
    asked: NDArray[Any],
    ks: Sequence[int],
    temperatures: Sequence[float],
    rng: np.random.RandomState,
    *,
    leave_out: bool,
) -> tuple[int, float]:
    """The k and temperature of ``vote(similarities, rows, k, temperature)`` under which votes are likeliest.

    ``asked``, shape (n, c), are the votes of the rows ``X`` times their weights. With ``leave_out`` these are the rows
    of the gallery, and each is asked without itself.
    """
    if len(ks) == len(temperatures) == 1:
        return ks[0], temperatures[0]
    rows = np.flatnonzero(asked.any(axis=1))
    if len(rows) > QUERIES:
        rows = np.sort(rng.choice(rows, QUERIES, replace=False))
    count = min(gallery.reach(ks[-1]) + leave_out, len(gallery))
    found, near = gallery.search(X[rows], count)
    similarities = found.astype(np.float64)
    if leave_out:
        similarities, near = leave_own_out(similarities, near, rows)
    return most_likely(lambda *pair: vote(similarities, near, *pair), asked[rows], ks, temperatures)


def candidates(k: int | str, temperature: float | str, weighting: str, most: int) -> tuple[list[int], list[float]]:
    """The neighbour counts and temperatures to choose among: one where it is given, a grid for ``"auto"``.

    Counts of a grid end at ``most``. Without softmax weights the temperature does not matter, and one is enough.

    Examples
    --------
    >>> candidates("auto", 0.1, "softmax", 4)
    ([1, 2, 3], [0.1])
    """
    ks = [count for count in K_GRID if count <= max(most, 1)] if k == "auto" else [int(k)]
    if temperature != "auto":
        return ks, [float(temperature)]
    return ks, list(TEMPERATURE_GRID) if weighting == "softmax" else [1.0]


def leave_own_out(
    similarities: NDArray[Any], rows: NDArray[np.int64], own: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Strike each query's own row from its neighbours, or the farthest neighbour where its own was not found.

    Parameters
    ----------
    similarities, rows : ndarray, shape (q, m)
        Neighbours, nearest first.
    own : ndarray of int64, shape (q,)
        The queries' own rows.

    Returns
    -------
    similarities, rows : ndarray, shape (q, m - 1)

    Examples
    --------
    >>> leave_own_out(np.array([[1.0, 0.8], [0.9, 0.7]]), np.array([[0, 4], [2, 3]]), np.array([0, 9]))[1].tolist()
    [[4], [2]]
    """
    keep = rows != own[:, None]
    keep[keep.all(axis=1), -1] = False
    shape = (len(rows), rows.shape[1] - 1)
    return similarities[keep].reshape(shape), rows[keep].reshape(shape)


def most_likely(
    vote: Callable[[int, float], Floats], targets: NDArray[Any], ks: Sequence[int], temperatures: Sequence[float]
) -> tuple[int, float]:
    """The pair of ``vote(k, temperature)`` under which the target distributions are most likely.

    Rows of ``targets``, shape (q, c), weigh as much as they sum to. Of equally likely pairs the first k is taken, then
    the first temperature.
    """
    pairs = [(k, temperature) for k in ks for temperature in temperatures]
    total = max(float(targets.sum()), 1.0)
    return pairs[first_of_the_best([-float((targets * safe_log(vote(*pair))).sum()) / total for pair in pairs])]


def check_vote_parameters(knn: Any) -> None:
    """Raise ValueError if a parameter of a :class:`~ferembed.estimators.KNNClassifier` is unfit."""
    if knn.k != "auto" and not is_count(knn.k):
        raise ValueError(f"k must be a whole number from 1 or 'auto', not {knn.k!r}.")
    if knn.weights not in WEIGHTINGS:
        raise ValueError(f"weights must be one of {', '.join(WEIGHTINGS)}, not {knn.weights!r}.")
    if knn.temperature != "auto" and not (is_number(knn.temperature) and 0 < knn.temperature < np.inf):
        raise ValueError(f"temperature must be a number above 0 or 'auto', not {knn.temperature!r}.")
    if not (is_number(knn.smoothing) and 0 <= knn.smoothing < 1):
        raise ValueError(f"smoothing must be a number from 0 to below 1, not {knn.smoothing!r}.")
    if knn.prototypes is not None and not is_count(knn.prototypes):
        raise ValueError(f"prototypes must be a whole number from 1 or None, not {knn.prototypes!r}.")
