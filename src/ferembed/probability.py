"""Arithmetic on class probabilities: softmax, pools and the soft k-NN vote, and what is chosen where two are equal.

What takes an ``Array`` takes NumPy arrays and torch tensors alike and gives the same kind; gradients flow through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Array = TypeVar("Array", Floats, "Tensor")
Pool = Literal["arithmetic", "log"]
Weighting = Literal["uniform", "distance", "softmax"]

POOLS: tuple[Pool, ...] = ("arithmetic", "log")
WEIGHTINGS: tuple[Weighting, ...] = ("uniform", "distance", "softmax")

TIE = 1e-5
"""Losses, and probabilities, that differ from the best by less than this share of it count as equal to it.

The order of a sum, which threads and a processor's instructions change, moves similarities in single precision by some
1e-7 and a vote at a temperature of 0.05 by some 4e-6. What is chosen must not hang on that.
"""

ALIKE = 2e-6
"""Similarities that differ by less are equal: single precision moves those of unit vectors by about half of it."""

FLOOR = 1e-12
"""Probabilities below this count as this wherever a logarithm is taken."""

CLOSEST = 1e-6
"""Cosine distances below this count as this: single precision cannot tell them apart."""

_ROWS_AT_ONCE = 1024


def first_of_the_best(losses: Sequence[float]) -> int:
    """The place of the first loss that is no worse than the least but for :data:`TIE`.

    Candidates stand in the order in which they are to be preferred where nothing tells them apart. A loss below
    :data:`TIE` is as good as none: there the difference is measured in shares of :data:`TIE`.

    Examples
    --------
    >>> first_of_the_best([0.9, 0.5 + 1e-7, 0.5])
    1
    """
    values = np.asarray(losses, dtype=np.float64)
    least = values.min()
    return int((values <= least + TIE * max(abs(least), TIE)).argmax())


def most_probable(proba: NDArray[np.floating]) -> NDArray[np.intp]:
    """The column of the most probable class of each row, shape ``(n,)``; the first of those equal but for :data:`TIE`.

    Examples
    --------
    >>> most_probable(np.array([[0.2, 0.4 - 1e-9, 0.4], [0.2, 0.3, 0.5]])).tolist()
    [1, 2]
    """
    codes: NDArray[np.intp] = (proba >= (1.0 - TIE) * proba.max(axis=1, keepdims=True)).argmax(axis=1)
    return codes


def class_codes(
    labels: ArrayLike,
    classes: ArrayLike,
    unknown: str = "The class {label!r} is not among the classes {classes}.",
) -> Codes:
    """The column of each label among ``classes``, shape ``(n,)``.

    Raises
    ------
    ValueError
        If a label is not among them, in the words of ``unknown``, or one of them is named twice.

    Examples
    --------
    >>> class_codes(["sad", "happy", "sad"], ["happy", "sad"]).tolist()
    [1, 0, 1]
    """
    names = np.asarray(classes).tolist()
    known = {name: code for code, name in enumerate(names)}
    if len(known) != len(names):
        raise ValueError("classes names a class twice.")
    values = np.asarray(labels).tolist()
    strange = next((label for label in values if label not in known), None)
    if strange is not None:
        raise ValueError(unknown.format(label=strange, classes=", ".join(map(str, names))))
    return np.array([known[label] for label in values], dtype=np.intp)


class AnswerError(ValueError):
    """What a classifier says is not what a classifier can say."""


def as_probabilities(proba: ArrayLike) -> Floats:
    """The argument as float64 of shape ``(n, c)``, once it is seen to hold distributions.

    Raises
    ------
    AnswerError
        If it is not two-dimensional, holds a negative value or NaN, or has a row that does not sum to 1 within 0.001.

    Examples
    --------
    >>> as_probabilities([[0.5, 0.5], [0.9, 0.3]])
    Traceback (most recent call last):
        ...
    ferembed.probability.AnswerError: Row 1 of the probabilities sums to 1.2, not to 1.
    """
    values: Floats = np.asarray(proba, dtype=np.float64)
    if values.ndim != 2:
        raise AnswerError(f"Probabilities must have shape (n, c), one row an image; got shape {values.shape}.")
    if not (values >= 0).all():
        row = int(np.flatnonzero(~(values >= 0).all(axis=1))[0])
        raise AnswerError(f"Row {row} of the probabilities holds a negative value or NaN.")
    sums = values.sum(axis=1)
    wrong = np.flatnonzero(np.abs(sums - 1.0) > 1e-3)
    if wrong.size:
        raise AnswerError(f"Row {wrong[0]} of the probabilities sums to {sums[wrong[0]]:.4g}, not to 1.")
    return values


def smooth(proba: Array, amount: float) -> Array:
    """Mix distributions with the uniform one, which is what ``amount`` of the result is.

    Examples
    --------
    >>> smooth(np.array([[1.0, 0.0]]), 0.5).tolist()
    [[0.75, 0.25]]
    """
    mixed: Array = (1.0 - amount) * proba + amount / proba.shape[1]
    return mixed


def safe_log(proba: Array) -> Array:
    """Natural logarithm; probabilities below :data:`FLOOR` count as it."""
    xp = array_namespace(proba)
    result: Array = xp.log(xp.where(proba < FLOOR, FLOOR, proba))
    return result


def log_softmax(scores: Array) -> Array:
    """Logarithm of the softmax over the last axis."""
    xp = array_namespace(scores)
    shifted = scores - xp.max(scores, axis=-1, keepdims=True)
    result: Array = shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))
    return result


def softmax(scores: Array) -> Array:
    """Softmax over the last axis.

    Examples
    --------
    >>> softmax(np.log([[1.0, 3.0]])).round(6).tolist()
    [[0.25, 0.75]]
    """
    result: Array = array_namespace(scores).exp(log_softmax(scores))
    return result


def pool_probabilities(stack: Array, weights: Floats, pool: Pool) -> Array:
    """The pooled distributions, shape ``(n, c)``.

    Parameters
    ----------
    stack : Array of float64, shape (m, n, c)
        Each member's probabilities.
    weights : ndarray of float64, shape (m,)
        Not negative, summing to 1.
    pool : {"arithmetic", "log"}
        The weighted mean (Stone 1961), or the normalised weighted geometric mean, in which a member can rule a class
        out (Genest and Zidek 1986).

    Examples
    --------
    >>> members = np.array([[[0.5, 0.5]], [[0.9, 0.1]]])
    >>> pool_probabilities(members, np.array([0.5, 0.5]), "arithmetic").tolist()
    [[0.7, 0.3]]
    >>> pool_probabilities(members, np.array([0.5, 0.5]), "log").round(6).tolist()
    [[0.75, 0.25]]
    """
    xp = array_namespace(stack)
    pooled: Array = xp.tensordot(xp.asarray(weights), stack if pool == "arithmetic" else safe_log(stack), axes=1)
    return pooled if pool == "arithmetic" else softmax(pooled)


def log_loss(proba: Floats, codes: Codes, sample_weight: Floats | None = None) -> float:
    """Mean negative log-likelihood of the true classes, in nats.

    Parameters
    ----------
    proba : ndarray of float64, shape (n, c)
        Probabilities; below :data:`FLOOR` they count as it, so that one certain mistake costs 27.6 nats, not infinity.
    codes : ndarray of int, shape (n,)
        Columns of the true classes.
    sample_weight : ndarray of float64, shape (n,), optional
        Not negative.

    Examples
    --------
    >>> round(log_loss(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1])), 4)
    0.4904
    """
    return float(np.average(-safe_log(proba[np.arange(len(codes)), codes]), weights=sample_weight))


def soft_vote(
    similarities: Array,
    rows: Any,
    votes: Any,
    weighting: Weighting = "softmax",
    temperature: float = 1.0,
    *,
    counts: Floats | None = None,
    mass: Floats | None = None,
    smoothing: float = 0.0,
) -> Array:
    """What the nearest rows of a gallery vote for, as probabilities.

    Parameters
    ----------
    similarities : Array of float, shape (q, k)
        Cosine similarities of the neighbours, -1 to 1; minus infinity where there is none, which has no vote.
    rows : Array of int64, shape (q, k)
        Each neighbour's row in ``votes``; where there is none any row will do.
    votes : Array, shape (n, c)
        What each gallery row votes for.
    weighting : {"uniform", "distance", "softmax"}
        A neighbour's weight: 1, the inverse of its cosine distance, or ``exp(similarity / temperature)``.
    temperature : float
        Used by ``"softmax"`` alone; the lower, the more the nearest neighbours rule.
    counts : ndarray of float64, shape (q, k), optional
        As how many neighbours each counts; as one by default.
    mass : ndarray of float64, shape (c,), optional
        The votes for each class are divided by it.
    smoothing : float
        Part of the result that is uniform, 0 to 1.

    Returns
    -------
    Array of float, shape (q, c)
        Rows sum to 1. Where nobody voted they are uniform.

    Examples
    --------
    >>> similarities, rows = np.array([[0.75, 0.5, -np.inf]]), np.array([[2, 0, -1]])
    >>> soft_vote(similarities, rows, np.eye(3), "distance").round(6).tolist()
    [[0.333333, 0.0, 0.666667]]
    """
    xp = array_namespace(similarities)
    weights = _neighbour_weights(similarities, weighting, temperature)
    if counts is not None:
        weights = weights * xp.asarray(counts)
    blocks = (slice(start, start + _ROWS_AT_ONCE) for start in range(0, max(len(rows), 1), _ROWS_AT_ONCE))
    parts = [weights[each, None, :] @ xp.asarray(votes[rows[each]], dtype=weights.dtype) for each in blocks]
    totals = xp.concat(parts)[:, 0]
    if mass is not None:
        totals = totals / xp.asarray(np.where(mass > 0, mass, 1.0))
    totals = xp.where(xp.sum(totals, axis=1, keepdims=True) > 0, totals, 1.0)
    said: Array = totals / xp.sum(totals, axis=1, keepdims=True)
    return smooth(said, smoothing)


def _neighbour_weights(similarities: Array, weighting: Weighting, temperature: float) -> Array:
    """How much each neighbour's vote counts, up to a factor for each query; 0 where there is no neighbour."""
    xp = array_namespace(similarities)
    weights: Array
    if weighting == "softmax":
        # The shift keeps exp from overflowing and cancels when the votes are normalised.
        lowest = xp.full_like(xp.sum(similarities, axis=1, keepdims=True), -1.0)
        nearest = xp.max(xp.concat([lowest, similarities], axis=1), axis=1, keepdims=True)
        weights = xp.exp((similarities - nearest) / temperature)
    elif weighting == "distance":
        distances = 1.0 - similarities
        weights = 1.0 / xp.where(distances < CLOSEST, CLOSEST, distances)
    else:
        weights = xp.astype(xp.isfinite(similarities), similarities.dtype)
    return weights
