"""An opinion pool of classifiers whose weights are fitted by likelihood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ferembed.estimators.calibration.base import CalibrationMethod
from ferembed.estimators.ensembles.base import CalibratedEnsemble
from ferembed.estimators.likelihood import cross_entropy, targets
from ferembed.probability import (
    FLOOR,
    POOLS,
    Array,
    Codes,
    Floats,
    Pool,
    first_of_the_best,
    log_softmax,
    pool_probabilities,
    safe_log,
)

Loss = Callable[[Floats], tuple[float, Floats]]


class VotingEnsemble(CalibratedEnsemble):
    """Calibrated members vote, each with the weight that the validation data make most likely.

    On the data that fit its weights the ensemble's negative log-likelihood is, but for rounding, never worse than with
    equal weights. These count as :data:`~ferembed.estimators.likelihood.PRIOR_ROWS` more rows: beside many
    rows it is not worse than its best calibrated member's either.

    Parameters
    ----------
    estimators : sequence of (str, classifier)
        Members by name, over the same ``X``. One wrapped in scikit-learn's ``FrozenEstimator``, or an adapter such as
        :class:`FunctionMember`, is taken as it is, and all the data given to ``fit`` calibrate and weigh it. Any other
        is fitted to all the data, and calibrated and weighed by its cross-validated predictions.
    pool : {"arithmetic", "log"}, default="arithmetic"
        Weighted mean of the members' probabilities, or their normalised weighted geometric mean.
    calibration : {"temperature", "vector", "isotonic", "joint_isotonic"} or None, default="temperature"
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

    def _join(self, stack: Array) -> Array:
        return pool_probabilities(stack, self.weights_, self.pool)


def fit_pool_weights(stack: Floats, codes: Codes, pool: Pool, sample_weight: Floats | None = None) -> Floats:
    """Weights on the simplex under which the pool makes the true classes most likely.

    What the pool says with equal weights counts as :data:`~ferembed.estimators.likelihood.PRIOR_ROWS` more
    rows, so that a few rows hardly part the members. The loss is convex in the weights. But for
    :data:`~ferembed.probability.TIE` the pool is never less likely on these data than with equal weights. With the rows
    of the prior it is never less likely than any single member either: each member alone, which is a corner of the
    simplex, is compared with what the optimiser found. Of equally likely weights, equal ones go before those that the
    optimiser found, and these before a member alone.

    Parameters
    ----------
    stack : ndarray of float64, shape (m, n, c)
        Each member's probabilities of data that it was not fitted to.
    codes : ndarray of int, shape (n,)
        Columns of the true classes.
    pool : {"arithmetic", "log"}
    sample_weight : ndarray of float64, shape (n,), optional

    Returns
    -------
    ndarray of float64, shape (m,)
        Between 0 and 1, summing to 1.

    Raises
    ------
    ValueError
        If the pool is unknown.
    """
    from scipy.optimize import LinearConstraint, minimize

    if pool not in POOLS:
        raise ValueError(f"Unknown pool {pool!r}: choose from {', '.join(POOLS)}.")
    members = len(stack)
    equal = np.full(members, 1.0 / members)
    rows = np.ones(len(codes)) if sample_weight is None else sample_weight
    rows = rows / rows.sum()
    wanted = targets(pool_probabilities(stack, equal, pool), codes, sample_weight)
    loss = (_arithmetic_loss if pool == "arithmetic" else _log_loss)(stack, wanted, rows)
    found = minimize(
        loss,
        equal,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * members,
        constraints=LinearConstraint(np.ones((1, members)), 1.0, 1.0),
        options={"maxiter": 300, "ftol": 1e-10},
    )
    weights = np.clip(found.x, 0.0, 1.0)
    optimum = [weights / weights.sum()] if weights.sum() > 0 else []
    candidates: list[Floats] = [equal, *optimum, *np.eye(members)]
    losses = [cross_entropy(pool_probabilities(stack, each, pool), wanted, sample_weight) for each in candidates]
    return candidates[first_of_the_best(losses)]


def _arithmetic_loss(stack: Floats, wanted: Floats, rows: Floats) -> Loss:
    aim = rows[:, None] * wanted

    def loss(weights: Floats) -> tuple[float, Floats]:
        pooled = np.maximum(np.tensordot(weights, stack, axes=1), FLOOR)
        return -float((aim * np.log(pooled)).sum()), -np.einsum("mnc,nc->m", stack, aim / pooled)

    return loss


def _log_loss(stack: Floats, wanted: Floats, rows: Floats) -> Loss:
    logs = safe_log(stack)

    def loss(weights: Floats) -> tuple[float, Floats]:
        log_pooled = log_softmax(np.tensordot(weights, logs, axes=1))
        missed = rows[:, None] * (np.exp(log_pooled) - wanted)
        return -float(rows @ (wanted * log_pooled).sum(axis=1)), np.einsum("mnc,nc->m", logs, missed)

    return loss
