"""How neighbours vote, and which ``k`` and temperature make the gallery's own labels likeliest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ferembed.estimators.knn.gallery import Gallery
from ferembed.estimators.knn.weights import WEIGHTINGS, Weighting, neighbour_weights, shares
from ferembed.estimators.parameters import is_count, is_number
from ferembed.probability import first_of_the_best

Floats = NDArray[np.floating[Any]]


class VoteMixin:
    """The vote over a fitted ``gallery_``, under the parameters of :class:`~ferembed.estimators.KNNClassifier`."""

    k: int | Literal["auto"]
    weights: Weighting
    temperature: float | Literal["auto"]
    balanced: bool
    smoothing: float
    prototypes: int | None
    gallery_: Gallery
    _found: tuple[int, float]

    @property
    def k_(self) -> int:
        """Neighbours that vote: ``k``, or what ``fit`` found for ``"auto"``."""
        return self._found[0] if self.k == "auto" else int(self.k)

    @property
    def temperature_(self) -> float:
        """The softmax temperature: ``temperature``, or what ``fit`` found for ``"auto"``."""
        return self._found[1] if self.temperature == "auto" else float(self.temperature)

    def _check_parameters(self) -> None:
        check_vote_parameters(self.k, self.weights, self.temperature, self.smoothing, self.prototypes)

    def _choose(self, X: Floats, asked: Floats, rng: np.random.RandomState) -> None:
        """Find k and temperature; ``asked`` (n, c) are the rows' votes times their weights."""
        leave_out = self.prototypes is None
        ks, temperatures = candidates(self.k, self.temperature, self.weights, len(self.gallery_) - leave_out)
        self._found = ks[0], temperatures[0]
        if len(ks) == len(temperatures) == 1:
            return
        rows = np.flatnonzero(asked.any(axis=1))
        if len(rows) > QUERIES:
            rows = np.sort(rng.choice(rows, QUERIES, replace=False))
        count = min(self.gallery_.reach(ks[-1]) + leave_out, len(self.gallery_))
        similarities, near = self.gallery_.search(X[rows], count)
        if leave_out:
            similarities, near = leave_own_out(similarities, near, rows)
        self._found = most_likely(
            lambda k, temperature: self._vote(similarities, near, k, temperature), asked[rows], ks, temperatures
        )[:2]

    def _answers(self, queries: Floats) -> NDArray[np.float64]:
        self._check_parameters()
        similarities, rows = self.gallery_.search(queries, self.gallery_.reach(self.k_))
        return self._vote(similarities, rows, self.k_, self.temperature_)

    def leave_one_out(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probabilities, shape (n, c), of gallery rows by number, each asked as if it were not in the gallery."""
        if not len(rows):
            return np.empty((0, self.gallery_.votes.shape[1]))
        with self.gallery_.lock.read():
            count = min(self.gallery_.reach(self.k_) + 1, len(self.gallery_))
            similarities, near = self.gallery_.search(self.gallery_.index.reconstruct(rows), count)
            return self._vote(*leave_own_out(similarities, near, rows), self.k_, self.temperature_)

    def _vote(self, similarities: Floats, rows: NDArray[np.int64], k: int, temperature: float) -> NDArray[np.float64]:
        reach = self.gallery_.reach(k)
        weights = neighbour_weights(similarities[:, :reach], self.weights, temperature)
        totals = self.gallery_.tally(weights, rows[:, :reach], k)
        if self.balanced:
            mass = self.gallery_.class_mass
            totals = totals / np.where(mass > 0, mass, 1.0)
        return shares(totals, self.smoothing)


def check_vote_parameters(k: Any, weights: Any, temperature: Any, smoothing: Any, prototypes: Any) -> None:
    """Check the parameters of :class:`~ferembed.estimators.KNNClassifier`.

    Raises
    ------
    ValueError
        If one is unfit.
    """
    if k != "auto" and not is_count(k):
        raise ValueError(f"k must be a whole number from 1 or 'auto', not {k!r}.")
    if weights not in WEIGHTINGS:
        raise ValueError(f"weights must be one of {', '.join(WEIGHTINGS)}, not {weights!r}.")
    if temperature != "auto" and not (is_number(temperature) and 0 < temperature < np.inf):
        raise ValueError(f"temperature must be a number above 0 or 'auto', not {temperature!r}.")
    if not (is_number(smoothing) and 0 <= smoothing < 1):
        raise ValueError(f"smoothing must be a number from 0 to below 1, not {smoothing!r}.")
    if prototypes is not None and not is_count(prototypes):
        raise ValueError(f"prototypes must be a whole number from 1 or None, not {prototypes!r}.")


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
