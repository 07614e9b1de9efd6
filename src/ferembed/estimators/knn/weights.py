"""From neighbours to probabilities: how much each neighbour counts, and how their votes add up."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Weighting = Literal["uniform", "distance", "softmax"]

WEIGHTINGS: tuple[Weighting, ...] = ("uniform", "distance", "softmax")

CLOSEST = 1e-6
"""Cosine distances below this count as this: single precision cannot tell them apart."""

_ROWS_AT_ONCE = 1024


def neighbour_weights(similarities: Floats, weighting: Weighting, temperature: float) -> NDArray[np.float64]:
    """How much each neighbour's vote counts, up to a factor for each query.

    Parameters
    ----------
    similarities : ndarray of float, shape (q, k)
        Cosine similarities, -1 to 1; minus infinity where there is no neighbour.
    weighting : {"uniform", "distance", "softmax"}
        One for each neighbour, the inverse of its cosine distance, or ``exp(similarity / temperature)``.
    temperature : float
        Used by ``"softmax"`` alone; the lower, the more the nearest neighbours rule.

    Returns
    -------
    ndarray of float64, shape (q, k)
        Not negative; 0 where there is no neighbour.

    Examples
    --------
    >>> neighbour_weights(np.array([[0.75, 0.5, -np.inf]]), "distance", 0.1).tolist()
    [[4.0, 2.0, 0.0]]
    """
    near = similarities.astype(np.float64)
    if weighting == "softmax":
        # The shift keeps exp from overflowing and cancels when the votes are normalised.
        shift = near.max(axis=1, keepdims=True, initial=-1.0)
        weights: NDArray[np.float64] = np.exp((near - shift) / temperature)
        return weights
    if weighting == "distance":
        return 1.0 / np.maximum(1.0 - near, CLOSEST)
    return np.isfinite(near).astype(np.float64)


def counted(row_weights: Floats, k: float) -> NDArray[np.float64]:
    """The part of each neighbour's row weight that lies within the first ``k`` units of weight.

    A row of weight 2 so counts as two copies of itself, and a row of weight 0 as none.

    Parameters
    ----------
    row_weights : ndarray of float, shape (q, m)
        Row weights of the neighbours, nearest first.
    k : float
        Units of weight that vote.

    Examples
    --------
    >>> counted(np.array([[1.0, 3.0, 2.0]]), 3).tolist()
    [[1.0, 2.0, 0.0]]
    """
    before = np.cumsum(row_weights, axis=1, dtype=np.float64) - row_weights
    return np.clip(k - before, 0.0, row_weights)


def tally(weights: Floats, rows: NDArray[np.int64], votes: Floats) -> NDArray[np.float64]:
    """Sum of the neighbours' votes for each class.

    Parameters
    ----------
    weights : ndarray of float, shape (q, k)
        Weight of each neighbour.
    rows : ndarray of int64, shape (q, k)
        Each neighbour's row in ``votes``; where the weight is 0 any row will do.
    votes : ndarray of float, shape (n, c)
        What each gallery row votes for.

    Returns
    -------
    ndarray of float64, shape (q, c)

    Examples
    --------
    >>> tally(np.array([[1.0, 0.5]]), np.array([[2, 0]]), np.eye(3)).tolist()
    [[0.5, 0.0, 1.0]]
    """
    totals = np.empty((len(rows), votes.shape[1]))
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        np.matmul(weights[part, None, :], votes[rows[part]], out=totals[part, None, :])
    return totals


def shares(totals: Floats, smoothing: float) -> NDArray[np.float64]:
    """Vote totals as probabilities, mixed with a little of the uniform distribution.

    Parameters
    ----------
    totals : ndarray of float, shape (q, c)
        Not negative. A row of zeros, for which nobody voted, becomes uniform.
    smoothing : float
        Part of the result that is uniform, 0 to 1.

    Examples
    --------
    >>> shares(np.array([[3.0, 1.0], [0.0, 0.0]]), smoothing=0.5).tolist()
    [[0.625, 0.375], [0.5, 0.5]]
    """
    classes = totals.shape[1]
    sums = totals.sum(axis=1, keepdims=True)
    if not sums.all():
        totals = np.where(sums > 0, totals, 1.0)
        sums = totals.sum(axis=1, keepdims=True)
    result: NDArray[np.float64] = totals * ((1.0 - smoothing) / sums) + smoothing / classes
    return result
