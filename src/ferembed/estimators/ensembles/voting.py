"""An opinion pool of classifiers whose weights are fitted by likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ferembed.estimators.calibration.maps import CalibrationMethod
from ferembed.estimators.ensembles.base import CalibratedEnsemble
from ferembed.estimators.ensembles.pooling import Pool, fit_pool_weights, pool_probabilities
from ferembed.probability import Codes, Floats


class VotingEnsemble(CalibratedEnsemble):
    """Calibrated members vote, each with the weight that the validation data make most likely.

    On the data that fit its weights the ensemble's negative log-likelihood is, but for rounding, never worse than with
    equal weights. These count as :data:`~ferembed.estimators.calibration.evidence.PRIOR_ROWS` more rows: beside many
    rows it is not worse than its best calibrated member's either.

    Parameters
    ----------
    estimators : sequence of (str, classifier)
        Members by name, over the same ``X``. One wrapped in scikit-learn's ``FrozenEstimator``, or an adapter such as
        :class:`FunctionMember`, is taken as it is, and all the data given to ``fit`` calibrate and weigh it. Any other
        is fitted to all the data, and calibrated and weighed by its cross-validated predictions.
    pool : {"arithmetic", "log"}, default="arithmetic"
        Weighted mean of the members' probabilities, or their normalised weighted geometric mean.
    calibration : {"temperature", "vector", "isotonic", "dirichlet"} or None, default="temperature"
        How each member is calibrated before it votes.
    cv : int, splitter or iterable of splits, default=5
        Folds for members that are not frozen, as in scikit-learn. A class with fewer rows than ``cv`` lowers it.

    Attributes
    ----------
    classes_ : ndarray of shape (c,)
        The members' classes, in the order they share, or else sorted. Where a member does not know a class, it gives
        it probability 0 before calibration.
    estimators_ : list of classifiers
        The fitted members.
    calibrations_ : list of Calibration
        Each member's.
    weights_ : ndarray of float64, shape (m,)
        Between 0 and 1, summing to 1, in the order of ``estimators``.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> X, y = make_blobs(300, centers=3, cluster_std=4.0, random_state=0)
    >>> knn = FrozenEstimator(KNeighborsClassifier(5).fit(X[:150], y[:150]))
    >>> softmax = FrozenEstimator(LogisticRegression().fit(X[:150], y[:150]))
    >>> vote = VotingEnsemble([("knn", knn), ("softmax", softmax)]).fit(X[150:], y[150:])
    >>> round(float(vote.weights_.sum()), 6)
    1.0
    """

    weights_: Floats
    _joint = "weights_"

    def __init__(
        self,
        estimators: Sequence[tuple[str, Any]],
        *,
        pool: Pool = "arithmetic",
        calibration: CalibrationMethod | None = "temperature",
        cv: Any = 5,
    ) -> None:
        self.estimators = estimators
        self.pool = pool
        self.calibration = calibration
        self.cv = cv

    @property
    def named_weights_(self) -> dict[str, float]:
        """The fitted weights by member name."""
        return {name: float(weight) for (name, _), weight in zip(self.estimators, self.weights_, strict=True)}

    def _fit_joint(self, stack: Floats, codes: Codes, weights: Floats | None) -> None:
        self.weights_ = fit_pool_weights(stack, codes, self.pool, weights)

    def _join(self, stack: Floats) -> Floats:
        return pool_probabilities(stack, self.weights_, self.pool)
