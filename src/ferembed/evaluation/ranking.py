"""How well probabilities rank: each class's its own rows above the others (AUROC), and each row's its class high."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
