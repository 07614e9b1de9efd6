"""How probably each label was given by mistake, whatever the face shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]

_LEAST = 1e-9
_BEFORE = 1.0  # rows that what is expected before any was seen counts as
_BOUNDS = ((-2.0, 2.0), (-3.0, 3.0), (-12.0, 0.0))


def probable_mistakes(probabilities: ArrayLike, labels: ArrayLike) -> Floats:
    """The probability that each label is a slip: wrong by chance, to any other class alike.

    Faces that are hard to tell have improbable labels, too; slips are those that hardness does not explain. The label
    of a face is taken to be a slip at one rate everywhere, and to follow the face otherwise, as surely as the model
    does at a temperature that may fall or rise with its entropy. Rate and temperature are fitted by likelihood, so that
    where improbable labels get rarer the surer the model is, as they do without slips, the rate comes out as 0; what
    slips leave is a share of them that no sureness brings down (Bootkrajang and Kabán, "Label-Noise Robust Logistic
    Regression and Its Applications", 2012, where the noise is part of the likelihood).

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

    found = minimize(loss, np.array([0.0, 0.0, -3.0]), jac=True, method="L-BFGS-B", bounds=_BOUNDS).x
    right, rate = (sharpened(found)[0] * own).sum(axis=1), 1 / (1 + np.exp(-found[2]))
    slip = rate * (1 - right) / others
    return np.asarray(slip / np.maximum((1 - rate) * right + slip, 1e-300))
