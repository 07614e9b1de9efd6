"""Choosing k and the temperature by leave-one-out likelihood on the gallery itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.ties import first_of_the_best

Floats = NDArray[np.floating[Any]]

K_GRID: tuple[int, ...] = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200)
"""Neighbour counts tried for ``k="auto"``."""

TEMPERATURE_GRID: tuple[float, ...] = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
"""Softmax temperatures tried for ``temperature="auto"``."""

QUERIES = 2048
"""Gallery rows that are asked, drawn at random from a larger gallery."""


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
    similarities: Floats, rows: NDArray[np.int64], own: NDArray[np.int64]
) -> tuple[Floats, NDArray[np.int64]]:
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


def log_likelihood(probabilities: Floats, targets: Floats) -> float:
    """Mean log-likelihood of target distributions, natural logarithm.

    Parameters
    ----------
    probabilities : ndarray of float, shape (q, c)
        Predicted distributions; zeros count as 1e-15.
    targets : ndarray of float, shape (q, c)
        Rows weigh as much as they sum to, so that a row of zeros does not count.

    Examples
    --------
    >>> round(log_likelihood(np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])), 3)
    -0.693
    """
    total = float(targets.sum())
    gained = float((targets * np.log(np.maximum(probabilities, 1e-15))).sum())
    return gained / total if total > 0 else 0.0


def most_likely(
    vote: Callable[[int, float], Floats], targets: Floats, ks: Sequence[int], temperatures: Sequence[float]
) -> tuple[int, float, float]:
    """The pair of ``vote(k, temperature)`` under which the targets are most likely, and that mean log-likelihood.

    Of equally likely pairs the first k is taken, then the first temperature.
    """
    pairs = [(k, temperature) for k in ks for temperature in temperatures]
    likelihoods = [log_likelihood(vote(*pair), targets) for pair in pairs]
    best = first_of_the_best([-each for each in likelihoods])
    return *pairs[best], likelihoods[best]
