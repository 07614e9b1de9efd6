"""The one convex fit behind vector scaling, Dirichlet calibration and stacking."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferembed.probability import Floats, first_of_the_best, log_softmax


def apply_softmax_map(coefficients: Floats, features: Floats) -> Floats:
    """``log softmax(W x + b)``, shape ``(n, c)``, of coefficients ``[W | b]`` and features ``x``, shape ``(n, p)``."""
    return log_softmax(features @ coefficients[:, :-1].T + coefficients[:, -1])


def fit_softmax_map(
    features: Floats,
    targets: Floats,
    start: Floats,
    penalty: Floats,
    sample_weight: Floats | None = None,
    free: NDArray[np.bool_] | None = None,
) -> Floats:
    """Multinomial logistic regression drawn towards a given map.

    Minimises the mean cross-entropy plus ``sum(penalty * (coefficients - start) ** 2)`` by L-BFGS. Since the
    penalty vanishes at ``start``, the result is never less likely than ``start`` on the data it is fitted to; where it
    would be no likelier, it is ``start``.

    Parameters
    ----------
    features : ndarray of float64, shape (n, p)
    targets : ndarray of float64, shape (n, c)
        What each row is, as a distribution over the classes.
    start, penalty : ndarray of float64, shape (c, p + 1)
        The map to start from and be drawn to, its last column the bias, and how strongly each coefficient is drawn.
    sample_weight : ndarray of float64, shape (n,), optional
    free : ndarray of bool, shape (c, p + 1), optional
        The coefficients that may move; all by default.

    Returns
    -------
    ndarray of float64, shape (c, p + 1)
    """
    from scipy.optimize import minimize

    free = np.ones(start.shape, dtype=bool) if free is None else free
    weights = np.ones(len(targets)) if sample_weight is None else sample_weight
    weights = weights / weights.sum()

    def placed(values: Floats) -> Floats:
        coefficients = start.copy()
        coefficients[free] = values
        return coefficients

    def objective(values: Floats) -> tuple[float, Floats]:
        coefficients = placed(values)
        drift = coefficients - start
        log_proba = apply_softmax_map(coefficients, features)
        loss = -float(weights @ (targets * log_proba).sum(axis=1)) + float((penalty * drift**2).sum())
        error = weights[:, None] * (np.exp(log_proba) - targets)
        gradient = np.column_stack([error.T @ features, error.sum(axis=0)]) + 2.0 * penalty * drift
        return loss, gradient[free]

    best = minimize(objective, start[free], jac=True, method="L-BFGS-B", options={"maxiter": 500, "gtol": 1e-7})
    return (start, placed(best.x))[first_of_the_best([objective(start[free])[0], best.fun])]
