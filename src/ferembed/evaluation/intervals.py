"""95% intervals in closed form: of shares, of means of shares, and of what two systems' shares differ by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Z = 1.959963984540054
"""The 97.5th percentile of the normal distribution."""

ROUNDING = 1e-10
"""Figures over resamples that differ by less are alike."""


class Interval(NamedTuple):
    """The ends of a 95% interval; in JSON a pair of numbers."""

    low: float
    high: float


def share_interval(count: int, of: int) -> Interval | None:
    """The interval of a share, ``count`` of ``of`` rows (Clopper and Pearson 1934); None of no rows.

    Whatever the share is, it holds it at least 95 times in 100, and has a width where all or none of the rows count.

    Examples
    --------
    >>> [round(end, 3) for end in share_interval(40, 40)], [round(end, 3) for end in share_interval(5, 10)]
    ([0.912, 1.0], [0.187, 0.813])
    """
    from scipy.stats import beta

    if not of:
        return None
    low = float(beta.ppf(0.025, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(0.975, count + 1, of - count)) if count < of else 1.0
    return Interval(low, high)


def f1_interval(right: int, support: int, called: int) -> Interval | None:
    """The interval of a class's F1; None where the class neither occurs nor is named.

    F1 rises with the share of rows called rightly among those that are of the class or called by its name, and its
    interval is that share's (Hand, Christen and Kirielle 2021).

    Examples
    --------
    >>> [round(end, 3) for end in f1_interval(40, 40, 40)]
    [0.954, 1.0]
    """
    share = share_interval(right, support + called - right)
    return None if share is None else Interval(*(2 * end / (1 + end) for end in share))


def share_difference(lost: int, won: int, of: int) -> Interval:
    """The interval of how far a second system's share is above a first one's on the same rows.

    The adjusted Wald interval of Bonett and Price (2012), which has a width where the systems never differ.

    Parameters
    ----------
    lost, won : int
        Rows that count for the first system only, and for the second only.
    of : int
        All rows, 1 or more.

    Examples
    --------
    >>> [round(end, 3) for end in share_difference(0, 0, 100)], [round(end, 3) for end in share_difference(5, 20, 100)]
    ([-0.027, 0.027], [0.051, 0.243])
    """
    down, up = (lost + 1) / (of + 2), (won + 1) / (of + 2)
    reach = Z * float(np.sqrt((down + up - (up - down) ** 2) / (of + 2)))
    return Interval(max(up - down - reach, -1.0), min(up - down + reach, 1.0))


def mean_interval(
    values: Sequence[float], intervals: Sequence[Interval], drawn: NDArray[np.float64] | None = None
) -> Interval:
    """The interval of the mean of figures, from the interval of each (Zou, Huang and Zhang 2009).

    Parameters
    ----------
    values : sequence of m float
    intervals : sequence of m Interval
    drawn : ndarray of float64, shape (resamples, m), optional
        The figures over resamples, which tell how they rise and fall together; NaN where undefined. Without it, and
        where a figure never moves, they are taken as independent.

    Examples
    --------
    >>> mean_interval([0.5, 1.0], [Interval(0.2, 0.8), Interval(0.6, 1.0)])
    Interval(low=0.5, high=0.9)
    """
    figures, (low, high) = np.asarray(values), np.transpose(intervals)
    moves = np.zeros((1, len(figures))) if drawn is None else _standardised(drawn)
    below, above = (_joint(np.abs(end - figures), moves) / len(figures) for end in (low, high))
    return Interval(float(figures.mean()) - below, float(figures.mean()) + above)


def _standardised(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns of mean 0 and variance 1; zeros where nothing moves."""
    known = ~np.isnan(drawn)
    means = np.where(known, drawn, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    moved = np.where(known, drawn - means, 0.0)
    spread = moved.std(axis=0)
    moves: NDArray[np.float64] = np.where(spread > ROUNDING, moved / np.maximum(spread, ROUNDING), 0.0)
    return moves


def _joint(reach: NDArray[np.float64], moves: NDArray[np.float64]) -> float:
    """The length of distances whose correlations are those of the columns of ``moves``."""
    still = ~moves.any(axis=0)
    return float(np.sqrt((moves @ reach).var() + (reach[still] ** 2).sum()))


def p_value(difference: float, interval: Interval) -> float:
    """The two-sided p value that agrees with an interval: below 0.05 where it leaves 0 out (Altman and Bland 2011).

    Examples
    --------
    >>> p_value(0.0, Interval(-0.1, 0.1)), round(p_value(0.2, Interval(0.0, 0.3)), 6)
    (1.0, 0.05)
    """
    from scipy.stats import norm

    reach = difference - interval.low if difference > 0 else interval.high - difference
    return float(2 * norm.sf(Z * abs(difference) / reach)) if difference else 1.0
