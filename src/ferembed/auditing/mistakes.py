"""How probably each label is wrong, from what models that did not see it say of the face."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from ferembed.probability import most_probable

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

CONFUSED = 0.03
"""How much a label is doubted that confusion explains, where one that nothing explains is doubted wholly."""

_LEAST = 1e-9
_BEFORE = 1.0  # rows that what is expected before any was seen counts as
_BOUNDS = ((-2.0, 2.0), (-0.2, 0.2), (-12.0, 0.0))
_NO_SLIPS = (*_BOUNDS[:2], (-12.0, -12.0))
_CRITICAL = 2.706  # of twice the log-likelihood's gain by a rate that cannot be negative, at 5% (Self and Liang 1987)


def probable_mistakes(probabilities: ArrayLike, labels: ArrayLike) -> Floats:
    """The probability that each label is a slip: wrong by chance, to any other class alike.

    Faces that are hard to tell have improbable labels, too; slips are those that hardness does not explain. The label
    of a face is taken to be a slip at one rate everywhere, and to follow the face otherwise, as surely as the model
    does at a temperature that may change by some 20% a nat of its entropy. Rate and temperature are fitted by
    likelihood, so that where improbable labels get rarer the surer the model is, as they do without slips, the rate
    comes out as 0; what slips leave is a share of them that no sureness brings down (Bootkrajang and Kabán,
    "Label-Noise Robust Logistic Regression and Its Applications", 2012, where the noise is part of the likelihood). A
    rate that a likelihood-ratio test does not tell from 0 at 5% (Self and Liang 1987) is 0.

    Parameters
    ----------
    probabilities : array-like of float, shape (n, c)
        From models that did not see the row's label.
    labels : array-like of int, shape (n,)
        Columns of the labels.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 to 1; their sum is the number of slips to expect. 0 where fewer than two classes occur.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> proba = rng.dirichlet([0.2, 0.2, 0.2], 2000)
    >>> true = (rng.random((2000, 1)) > proba.cumsum(axis=1)[:, :2]).sum(axis=1)
    >>> slips = np.where(np.arange(2000) % 10 == 0, (true + 1) % 3, true)
    >>> round(probable_mistakes(proba, true).sum()), int(probable_mistakes(proba, slips).sum().round(-2))
    (0, 200)
    """
    proba, given = np.asarray(probabilities, np.float64), np.asarray(labels, np.int64)
    occurring = len(np.unique(given))
    if occurring < 2:
        return np.zeros(len(given))
    logs = np.log(np.maximum(proba, _LEAST))
    doubt = -(proba * logs).sum(axis=1)
    doubt -= doubt.mean()
    own, others = np.eye(proba.shape[1])[given], occurring - 1

    def sharpened(fitted: Floats) -> tuple[Floats, Floats]:
        steepness = np.exp(fitted[0] + fitted[1] * doubt)
        scores = logs * steepness[:, None]
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True), steepness

    def loss(fitted: Floats) -> tuple[float, Floats]:
        """The negative log-likelihood, with what is expected before, and its gradient."""
        model, steepness = sharpened(fitted)
        right, rate = (model * own).sum(axis=1), 1 / (1 + np.exp(-fitted[2]))
        likelihood = np.maximum((1 - rate) * right + rate * (1 - right) / others, 1e-300)
        by_right = -(1 - rate - rate / others) / likelihood
        by_steepness = (by_right * right)[:, None] * (own - model) * logs
        by_scale = by_steepness.sum(axis=1) * steepness
        by_rate = -(((1 - right) / others - right) / likelihood).sum() + _BEFORE / (1 - rate)
        before = _BEFORE * ((fitted[:2] ** 2).sum() / 2 - np.log1p(-rate))
        gradient = [by_scale.sum(), by_scale @ doubt, by_rate * rate * (1 - rate)]
        gradient += _BEFORE * np.array([*fitted[:2], 0.0])
        return float(before - np.log(likelihood).sum()) / len(given), np.asarray(gradient) / len(given)

    free, none = (
        minimize(loss, np.array([0.0, 0.0, start]), jac=True, method="L-BFGS-B", bounds=bounds)
        for start, bounds in ((-3.0, _BOUNDS), (-12.0, _NO_SLIPS))
    )
    if 2 * len(given) * (none.fun - free.fun) < _CRITICAL:
        return np.zeros(len(given))
    right, rate = (sharpened(free.x)[0] * own).sum(axis=1), 1 / (1 + np.exp(-free.x[2]))
    slip = rate * (1 - right) / others
    return np.asarray(slip / np.maximum((1 - rate) * right + slip, 1e-300))


def confident_joint(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Ids, NDArray[np.bool_]]:
    """How many rows of each label truly belong to each class, and which rows confidently belong to another class.

    A row counts for the most probable of those classes whose probability reaches the mean that the rows labelled so
    give it; the counts of each label are then brought to the number of its rows.

    Parameters
    ----------
    probabilities : array-like, shape (n, c)
        Out of fold.
    labels : array-like of int, shape (n,)

    Returns
    -------
    joint : ndarray of int64, shape (c, c)
        Rows by label, columns by true class.
    confident : ndarray of bool, shape (n,)
        The rows off the diagonal.

    References
    ----------
    Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021.

    Examples
    --------
    >>> joint, wrong = confident_joint([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.95, 0.05]], [0, 0, 1, 1, 1])
    >>> joint.tolist(), wrong.tolist()
    ([[2, 0], [1, 2]], [False, False, False, False, True])
    """
    proba, given = np.asarray(probabilities, np.float64), np.asarray(labels, np.int64)
    c = proba.shape[1]
    counts = np.bincount(given, minlength=c)
    own = np.bincount(given, proba[np.arange(len(given)), given], minlength=c)
    thresholds = np.where(counts > 0, own / np.maximum(counts, 1), np.inf)
    reached = np.where(proba >= thresholds - 1e-6, proba, -1.0)
    counted = reached.max(axis=1, initial=-1.0) >= 0
    true = most_probable(reached)
    joint = np.zeros((c, c))
    np.add.at(joint, (given[counted], true[counted]), 1)
    joint[np.diag_indices(c)] = np.maximum(joint.diagonal(), 1)
    exact = joint / joint.sum(axis=1, keepdims=True) * counts[:, None]
    whole = np.floor(exact).astype(np.int64)
    for row, missing in enumerate(counts - whole.sum(axis=1)):
        left = np.round(exact[row] - whole[row], 9)  # so that equal shares do not differ by rounding
        whole[row, np.argsort(-left, kind="stable")[:missing]] += 1
    return whole, counted & (true != given)


def rank_labels(
    probabilities: ArrayLike, labels: ArrayLike, joint: ArrayLike, mistaken: ArrayLike
) -> tuple[Floats, Ids]:
    """A score for each label, higher where it is more probably wrong, and the class suggested instead.

    First come probable slips. What confusion of faces that are hard to tell would explain as well is doubted by the
    share :data:`CONFUSED` of the probability that it is one: the improbability of the label, weighed by Bayes' rule
    with the share of its class that the confident joint calls wrong. Where a data set has no slips, that alone ranks:
    of two labels as improbable, the one of the worse annotated class is doubted first.

    Parameters
    ----------
    probabilities : array-like, shape (n, c)
    labels : array-like of int, shape (n,)
    joint : array-like, shape (c, c)
        From :func:`confident_joint`.
    mistaken : array-like of float, shape (n,)
        From :func:`probable_mistakes`.

    Returns
    -------
    scores : ndarray of float64, shape (n,)
        0 to 1.
    suggested : ndarray of int64, shape (n,)
        The most probable other class.
    """
    proba, given = np.asarray(probabilities, np.float64), np.asarray(labels, np.int64)
    counts, slips = np.asarray(joint, np.float64), np.asarray(mistaken, np.float64)
    wrong = (1 - counts.diagonal() / np.maximum(counts.sum(axis=1), 1))[given]
    rows = np.arange(len(given))
    own, others = proba[rows, given], proba.copy()
    others[rows, given] = -1
    against, for_it = (1 - own) * wrong, own * (1 - wrong)
    confused = against / np.maximum(against + for_it, 1e-12)
    return slips + (1 - slips) * CONFUSED * confused, most_probable(others)
