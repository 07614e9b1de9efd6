"""Fits by likelihood on held-out rows: how much these say, what counts beside them, and the one convex map."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from ferembed.probability import Array, Codes, Floats, first_of_the_best, log_softmax, safe_log

PRIOR_ROWS = 20
"""Rows that what stood before a fit counts as: after so many of its own, the data have half the say."""

CLASS_ROWS = 10
"""The same for each class, where the classes are fitted apart."""

LITTLE = 100
"""Held-out rows below which a fit warns that it has little to go by."""

_QUIET: ContextVar[bool] = ContextVar("quiet", default=False)


def evidence(rows: int, sample_weight: Floats | None = None) -> float:
    """How many rows the weighted ones are worth.

    Whole-number weights are copies and count as such. Of any others only the ratios matter: they are worth Kish's
    effective sample size, the square of their sum over the sum of their squares.

    Examples
    --------
    >>> evidence(2), evidence(2, np.array([3.0, 1.0])), evidence(2, np.array([0.5, 0.5]))
    (2.0, 4.0, 2.0)
    """
    if sample_weight is None:
        return float(rows)
    if (sample_weight == np.rint(sample_weight)).all():
        return float(sample_weight.sum())
    relative = sample_weight / sample_weight.max()
    return float(relative.sum() ** 2 / (relative**2).sum())


def targets(
    before: Floats, codes: Codes, sample_weight: Floats | None = None, prior_rows: float = PRIOR_ROWS
) -> Floats:
    """What each row is to be called: its label, mixed with what was said of it before.

    To fit these is to fit the labels beside ``prior_rows`` more rows that are labelled as was said before, so that the
    labels' share grows with the evidence.

    Parameters
    ----------
    before : ndarray of float64, shape (n, c)
        Distributions before the fit.
    codes : ndarray of int, shape (n,)
        Columns of the true classes.
    sample_weight : ndarray of float64, shape (n,), optional
    prior_rows : float
        How many rows what was said before counts as.

    Returns
    -------
    ndarray of float64, shape (n, c)
        Rows sum to 1.

    Examples
    --------
    >>> targets(np.array([[0.5, 0.5]] * 4), np.array([0, 1, 1, 1]), prior_rows=4)[0].tolist()
    [0.75, 0.25]
    """
    seen = evidence(len(codes), sample_weight)
    share = seen / (seen + prior_rows)
    mixed: Floats = (1.0 - share) * before / before.sum(axis=1, keepdims=True)
    mixed[np.arange(len(codes)), codes] += share
    return mixed


@contextmanager
def quiet() -> Iterator[None]:
    """Fits inside are parts of a larger one, which warns of little evidence once."""
    token = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(token)


def warn_of_little(what: str, rows: int, sample_weight: Floats | None = None) -> None:
    """Warn where rows are worth fewer than :data:`LITTLE`; ``what`` begins the sentence."""
    seen = evidence(rows, sample_weight)
    if seen < LITTLE and not _QUIET.get():
        warnings.warn(
            f"{what} {seen:.4g} held-out rows, fewer than {LITTLE}: it stays near what stood before, and what it "
            "changes is uncertain.",
            UserWarning,
            stacklevel=3,
        )


def cross_entropy(proba: Floats, targets: Floats, sample_weight: Floats | None = None) -> float:
    """Mean negative log-likelihood of target distributions, both of shape (n, c), in nats.

    As :func:`~ferembed.probability.log_loss`, which it equals where each target is certain.

    Examples
    --------
    >>> round(cross_entropy(np.array([[0.5, 0.5], [0.25, 0.75]]), np.eye(2)), 4)
    0.4904
    """
    return float(np.average(-(targets * safe_log(proba)).sum(axis=1), weights=sample_weight))


def apply_softmax_map(coefficients: Floats, features: Array) -> Array:
    """``log softmax(W x + b)``, shape ``(n, c)``, of coefficients ``[W | b]`` and features ``x``, shape ``(n, p)``."""
    weights = array_namespace(features).asarray(coefficients)
    scores: Array = features @ weights[:, :-1].T + weights[:, -1]
    return log_softmax(scores)


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
