"""Opinion pools: many distributions over the same classes made one, with weights fitted by likelihood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from ferembed.estimators.calibration.evidence import targets
from ferembed.probability import FLOOR, Codes, Floats, cross_entropy, first_of_the_best, log_softmax, safe_log

Pool = Literal["arithmetic", "log"]
Loss = Callable[[Floats], tuple[float, Floats]]

POOLS: tuple[Pool, ...] = ("arithmetic", "log")


def pool_probabilities(stack: Floats, weights: Floats, pool: Pool) -> Floats:
    """The pooled distributions, shape ``(n, c)``.

    Parameters
    ----------
    stack : ndarray of float64, shape (m, n, c)
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
    if pool == "arithmetic":
        return np.tensordot(weights, stack, axes=1)
    result: Floats = np.exp(log_softmax(np.tensordot(weights, safe_log(stack), axes=1)))
    return result


def fit_pool_weights(stack: Floats, codes: Codes, pool: Pool, sample_weight: Floats | None = None) -> Floats:
    """Weights on the simplex under which the pool makes the true classes most likely.

    What the pool says with equal weights counts as :data:`~ferembed.estimators.calibration.evidence.PRIOR_ROWS` more
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
