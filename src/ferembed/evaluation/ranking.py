"""How well probabilities and confidence rank: a class above the others, right above wrong, known above unknown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.evaluation.intervals import Interval, Z
from ferembed.probability import Codes, Floats, most_probable


@dataclass(frozen=True, eq=False)
class OneAgainstRest:
    """The AUROC of each class and of their mean, with what each row adds to its error (DeLong et al. 1988).

    Attributes
    ----------
    by_class : ndarray of float64, shape (c,)
        The probability that the class's column is higher in a row of the class than in another one, ties counting half;
        NaN where all rows or none are of the class.
    parts : ndarray of float64, shape (n, c)
        Rows add up to the column's deviation from the truth, so that the sum of their squares is its variance. NaN
        where the class, or all others together, have one row only.
    """

    by_class: Floats
    parts: Floats

    @property
    def macro(self) -> float | None:
        """The mean over the classes that have an AUROC; None where none has."""
        known = self.by_class[~np.isnan(self.by_class)]
        return float(known.mean()) if known.size else None

    @property
    def macro_parts(self) -> Floats:
        """What each row adds to the error of :attr:`macro`, shape (n,)."""
        known = ~np.isnan(self.by_class)
        mean: Floats = self.parts[:, known].sum(axis=1) / max(int(known.sum()), 1)
        return mean


def one_against_rest(proba: Floats, codes: Codes) -> OneAgainstRest:
    """Rank the rows by each class's probability.

    Parameters
    ----------
    proba : ndarray of float64, shape (n, c)
    codes : ndarray of int, shape (n,)
        Columns of the true classes.

    Examples
    --------
    >>> ranked = one_against_rest(np.array([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4], [0.5, 0.5]]), np.array([0, 0, 1, 1]))
    >>> ranked.by_class, ranked.macro
    (array([0.5, 0.5]), 0.5)
    """
    from scipy.stats import rankdata

    by_class, parts = np.full(proba.shape[1], np.nan), np.full(proba.shape, np.nan)
    for code in np.unique(codes):
        own = codes == code
        n_own, n_other = int(own.sum()), int((~own).sum())
        if not n_other:
            continue
        column = proba[:, code]
        ranks = rankdata(column)
        # The share of the other side that each row is rightly ranked against.
        above = (ranks[own] - rankdata(column[own])) / n_other
        below = 1 - (ranks[~own] - rankdata(column[~own])) / n_own
        by_class[code] = above.mean()
        if min(n_own, n_other) > 1:
            parts[own, code] = (above - above.mean()) / np.sqrt(n_own * (n_own - 1))
            parts[~own, code] = (below - below.mean()) / np.sqrt(n_other * (n_other - 1))
    return OneAgainstRest(by_class, parts)


def among_two(proba: Floats, codes: Codes) -> NDArray[np.bool_]:
    """Whether the true class is one of the two most probable, shape (n,); of equal ones the first columns count.

    Examples
    --------
    >>> among_two(np.array([[0.2, 0.5, 0.3], [0.2, 0.5, 0.3], [0.4, 0.3, 0.3]]), np.array([2, 0, 2])).tolist()
    [True, False, False]
    """
    first = most_probable(proba)
    rest = proba.copy()
    rest[np.arange(len(rest)), first] = -1.0
    among: NDArray[np.bool_] = (first == codes) | (most_probable(rest) == codes)
    return among


def auroc_interval(auroc: float | None, parts: Floats) -> Interval | None:
    """The 95% interval on the scale of the log-odds, which keeps it within 0 and 1 (Pepe 2003).

    None where a class has one row only, or the order is all right or all wrong.
    """
    spread = _standard_error(parts)
    if auroc is None or spread is None:
        return None
    centre, reach = np.log(auroc / (1 - auroc)), Z * spread / (auroc * (1 - auroc))
    return Interval(*(float(1 / (1 + np.exp(-end))) for end in (centre - reach, centre + reach)))


def auroc_difference(difference: float, parts: Floats) -> Interval | None:
    """The 95% interval of a difference of two AUROC over the same rows, from the difference of their parts."""
    spread = _standard_error(parts)
    return None if spread is None else Interval(difference - Z * spread, difference + Z * spread)


def _standard_error(parts: Floats) -> float | None:
    spread = float(np.linalg.norm(parts))
    return spread if spread > 0 else None


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
