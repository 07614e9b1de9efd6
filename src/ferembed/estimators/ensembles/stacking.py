"""Multinomial logistic regression on the members' log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from ferembed.estimators.calibration.base import CalibrationMethod
from ferembed.estimators.ensembles.base import CalibratedEnsemble
from ferembed.estimators.ensembles.voting import fit_pool_weights
from ferembed.estimators.likelihood import apply_softmax_map, evidence, fit_softmax_map
from ferembed.probability import Array, Codes, Floats, safe_log


class StackingEnsemble(CalibratedEnsemble):
    """Learns from validation data which member to trust for which class (Wolpert 1992).

    A multinomial logistic regression on the calibrated members' log-probabilities, drawn towards the log-opinion pool
    with the most likely weights, as :class:`VotingEnsemble` finds them, instead of towards zero. On the data that fit
    it, its negative log-likelihood is therefore never worse than that pool's.

    Parameters
    ----------
    estimators : sequence of (str, classifier)
        Members by name, over the same ``X``; frozen or not, as for :class:`VotingEnsemble`.
    C : float, default=0.01
        Above 0. The smaller, the closer to the log-opinion pool: the likelihood of each row counts ``C`` times
        against half the squared distance to it, as in scikit-learn's ``LogisticRegression``.
    calibration : {"temperature", "vector", "isotonic", "joint_isotonic"} or None, default="temperature"
        How each member is calibrated first.
    cv : int, splitter or iterable of splits, default=5
        Folds for members that are not frozen, as in scikit-learn. A class with fewer rows than ``cv`` lowers it.

    Attributes
    ----------
    classes_ : ndarray of shape (c,)
        The members' classes, in the order they share, or else sorted.
    estimators_ : list of classifiers
        The fitted members.
    calibrations_ : list of Calibration
        Each member's.
    coef_ : ndarray of float64, shape (c, m * c + 1)
        For each class, the factor of every log-probability of every member in turn, and a bias.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> X, y = make_blobs(300, centers=3, cluster_std=4.0, random_state=0)
    >>> members = [("knn", KNeighborsClassifier(5)), ("softmax", LogisticRegression())]
    >>> StackingEnsemble(members).fit(X, y).coef_.shape
    (3, 7)
    """

    coef_: Floats
    _joint = "coef_"

    def __init__(
        self,
        estimators: Sequence[tuple[str, Any]],
        *,
        C: float = 0.01,
        calibration: CalibrationMethod | None = "temperature",
        cv: Any = 5,
    ) -> None:
        self.estimators = estimators
        self.C = C
        self.calibration = calibration
        self.cv = cv

    def _fit_joint(self, stack: Floats, codes: Codes, weights: Floats | None) -> None:
        if not self.C > 0:
            raise ValueError(f"C must be above 0; got {self.C!r}.")
        pool = fit_pool_weights(stack, codes, "log", weights)
        start = np.column_stack([np.kron(pool, np.eye(len(self.classes_))), np.zeros(len(self.classes_))])
        penalty = np.full(start.shape, 1.0 / (2.0 * self.C * evidence(len(codes), weights)))
        self.coef_ = fit_softmax_map(_features(stack), np.eye(len(self.classes_))[codes], start, penalty, weights)

    def _join(self, stack: Array) -> Array:
        xp = array_namespace(stack)
        result: Array = xp.exp(apply_softmax_map(self.coef_, _features(stack)))
        return result


def _features(stack: Array) -> Array:
    """Log-probabilities ``(m, n, c)`` as one row for each image, ``(n, m * c)``."""
    features: Array = array_namespace(stack).concat(list(safe_log(stack)), axis=1)
    return features
