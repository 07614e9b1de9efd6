"""How neighbours vote, and which ``k`` and temperature make the gallery's own labels likeliest."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ferembed.estimators.knn.gallery import Gallery
from ferembed.estimators.knn.selection import QUERIES, candidates, leave_own_out, most_likely
from ferembed.estimators.knn.weights import WEIGHTINGS, Weighting, neighbour_weights, shares
from ferembed.estimators.parameters import is_count, is_number

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
