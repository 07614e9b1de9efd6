"""How well confidence or familiarity tells right from wrong and known from unknown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ferembed.probability import Floats


@dataclass(frozen=True, eq=False)
class RiskCoverageCurve:
    """The error among the answered rows as more and more are answered, surest first (El-Yaniv and Wiener 2010).

    Attributes
    ----------
    coverage : ndarray of float64, shape (m,)
        Share of rows answered, rising to 1. Rows of equal confidence are answered together.
    risk : ndarray of float64, shape (m,)
        Share of the answered rows that are wrong.
    threshold : ndarray of float64, shape (m,)
        The lowest confidence that is answered.
    aurc : float
        Area under the curve: the risk averaged over coverage, each step of coverage at the risk it ends with. The lower
        the better (Geifman et al. 2019).
    """

    coverage: Floats
    risk: Floats
    threshold: Floats
    aurc: float


def risk_coverage_curve(confidence: ArrayLike, correct: ArrayLike) -> RiskCoverageCurve:
    """Answer the surest rows first and follow the error.

    Parameters
    ----------
    confidence : array-like of float, shape (n,)
        In any unit, higher for surer.
    correct : array-like of bool, shape (n,)

    Raises
    ------
    ValueError
        If there is no row, the lengths differ, or a confidence is NaN.

    Examples
    --------
    >>> curve = risk_coverage_curve([0.9, 0.8, 0.7, 0.6], [True, True, False, True])
    >>> curve.risk.round(3).tolist(), round(curve.aurc, 4)
    ([0.0, 0.0, 0.333, 0.25], 0.1458)
    """
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=bool)
    if sure.ndim != 1 or sure.shape != right.shape or not sure.size:
        raise ValueError(f"Need one confidence and one answer a row; got shapes {sure.shape} and {right.shape}.")
    if np.isnan(sure).any():
        raise ValueError(f"The confidence of row {int(np.isnan(sure).argmax())} is NaN.")
    order = np.argsort(-sure, kind="stable")
    falling = sure[order]
    last = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    answered = last + 1
    risk = np.cumsum(~right[order])[last] / answered
    coverage = answered / len(falling)
    return RiskCoverageCurve(coverage, risk, falling[last], float(np.diff(coverage, prepend=0.0) @ risk))


def auroc(known: ArrayLike, unknown: ArrayLike) -> float:
    """The probability that a known row scores above an unknown one, ties counting half; 0.5 is chance.

    Parameters
    ----------
    known, unknown : array-like of float, shape (n,) and (m,)
        Scores such as :meth:`OpenSet.score_samples`, higher for the more familiar.

    Raises
    ------
    ValueError
        If either is empty.

    Examples
    --------
    >>> auroc([3, 2], [1, 2])
    0.875
    """
    from sklearn.metrics import roc_auc_score

    inside, outside = np.asarray(known, dtype=np.float64), np.asarray(unknown, dtype=np.float64)
    if not inside.size or not outside.size:
        raise ValueError("AUROC needs the score of at least one known and one unknown row.")
    truth = np.concatenate([np.ones(len(inside)), np.zeros(len(outside))])
    return float(roc_auc_score(truth, np.concatenate([inside, outside])))
