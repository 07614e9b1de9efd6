"""Faces of no known class: told by how far they lie from the gallery."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ferembed.estimators.rejection.base import RejectingClassifier
from ferembed.probability import Floats


class OpenSet(RejectingClassifier):
    """A classifier that says "unknown" of rows unlike all it has seen.

    A row's score is the estimator's ``score_samples``, higher for the more familiar; for :class:`KNNClassifier` that is
    minus the distance to the gallery (Sun et al. 2022). Rows that score below a threshold are unknown.

    Parameters
    ----------
    estimator : classifier
        With ``score_samples``. Wrapped in scikit-learn's ``FrozenEstimator`` it is taken as it is. Otherwise ``fit``
        fits it, and picks the threshold on cross-validated scores.
    max_false_unknown : float, default=0.05
        The part of the rows of known classes that may be called unknown, above 0 and below 1.
    unknown : str or int, optional
        What ``predict`` says of them. By default ``"unknown"`` beside class names; beside numbers -1, or the first free
        number below it.
    cv : int, splitter or iterable of splits, default=5
        Folds for an estimator that is not frozen, as in scikit-learn. A class with fewer rows than ``cv`` lowers it.

    Attributes
    ----------
    classes_ : ndarray of shape (c,)
        The estimator's classes, without ``unknown_``.
    estimator_ : classifier
    threshold_ : float
        Minus infinity, so that nothing is unknown, where there are fewer than ``1 / max_false_unknown - 1`` rows.
    unknown_ : str or int

    Notes
    -----
    With a frozen estimator and validation data that are exchangeable with new rows of known classes, the probability
    that such a new row is called unknown is at most ``max_false_unknown``, on average over the drawing of both
    (split conformal prediction, Papadopoulos et al. 2002). How many strangers are caught has no such bound: measure it
    (:func:`ferembed.evaluation.auroc`).

    References
    ----------
    Sun, Ming, Zhu and Li (2022), Out-of-distribution detection with deep nearest neighbors, ICML.
    """

    _found = ("threshold",)

    def __init__(self, estimator: Any, max_false_unknown: float = 0.05, *, unknown: Any = None, cv: Any = 5) -> None:
        self.estimator = estimator
        self.max_false_unknown = max_false_unknown
        self.unknown = unknown
        self.cv = cv

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> OpenSet:
        """Pick the threshold on ``X``, rows of known classes; for an estimator that is not frozen, also fit it to them.

        Raises
        ------
        ValueError
            If a parameter is out of range, or ``y`` holds a class that a frozen estimator does not know.
        """
        if not 0.0 < self.max_false_unknown < 1.0:
            raise ValueError(f"max_false_unknown must be above 0 and below 1; got {self.max_false_unknown!r}.")
        scores, _ = self._held_out_answers(X, y, sample_weight, _scores)
        allowed = int(np.floor(self.max_false_unknown * (len(scores) + 1) + 1e-9))
        self.threshold_ = float(np.sort(scores)[allowed - 1]) if allowed else float("-inf")
        return self

    def score_samples(self, X: Any) -> Floats:
        """How familiar each row is, float64 of shape ``(n,)``; higher is more."""
        check_is_fitted(self)
        return _scores(self.estimator_, X)

    def _accepts(self, X: Any, proba: Floats) -> NDArray[np.bool_]:
        result: NDArray[np.bool_] = self.score_samples(X) >= self.threshold_
        return result


def _scores(estimator: Any, X: Any) -> Floats:
    scores: Floats = np.asarray(estimator.score_samples(X), dtype=np.float64)
    return scores
