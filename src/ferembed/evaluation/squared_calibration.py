"""The squared calibration error without the bias of small samples, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.evaluation.calibration import binned
from ferembed.evaluation.intervals import Interval, Z
from ferembed.probability import Codes, Floats, as_probabilities
from ferembed.ties import most_probable

BINS = 15


@dataclass(frozen=True, eq=False)
class CalibrationGaps:
    """How far confidence and correctness lie apart in bins of equal mass.

    Attributes
    ----------
    place : ndarray of int, shape (n,)
        Each row's bin.
    rest : ndarray of float64, shape (n,)
        Each row's confidence less its correctness, less the mean of its bin.
    count : ndarray of int64, shape (b,)
    mean : ndarray of float64, shape (b,)
        Mean confidence less the share that is right.
    weight : ndarray of float64, shape (b,)
        Share of the rows, 0 where a bin holds one row only and its squared gap cannot be told from chance.
    variance : ndarray of float64, shape (b,)
        Of each mean: the largest of what the probabilities claim, what the rows show, and what they would with two
        right and two wrong answers added, so that a bin without mistakes is not taken for certain (Agresti and Coull
        1998).
    error : float or None
        :func:`squared_calibration_error`.
    """

    place: Codes
    rest: Floats
    count: NDArray[np.int64]
    mean: Floats
    weight: Floats
    variance: Floats
    error: float | None

    def interval(self) -> Interval | None:
        """The 95% interval: the errors from which the estimate lies no more than 1.96 of their own standard errors.

        Means of rows being near normal, the variance at an error is ``4 a error + 2 b``. The equation is quadratic, as
        for the interval of Wilson (1927). An estimate below what any error makes likely, as of probabilities that were
        calibrated on the same rows, is inside too, and so is 0.
        """
        if self.error is None:
            return None
        along, total = self.weight * self.mean**2, float(self.weight @ self.mean**2)
        a = float(along @ (self.weight * self.variance)) / total if total else 0.0
        b = float(np.sum((self.weight * self.variance) ** 2))
        centre = self.error + 2 * Z**2 * a
        reach = float(np.sqrt(max(centre**2 - self.error**2 + 2 * Z**2 * b, 0.0)))
        return Interval(min(centre - reach, self.error), max(centre + reach, 0.0))


def calibration_gaps(proba: Floats, codes: Codes, bins: int = BINS) -> CalibrationGaps:
    """Sort the answers of ``proba`` (n, c) to rows of the classes ``codes`` (n,) into bins of equal mass."""
    sure, right = proba.max(axis=1), (most_probable(proba) == codes).astype(np.float64)
    edges, place = binned(sure, bins, "mass")
    size = len(edges) - 1
    count = np.bincount(place, minlength=size)
    rows, gap = np.maximum(count, 1), sure - right
    total, squares, correct, claimed = (
        np.bincount(place, each, size) for each in (gap, gap**2, right, sure * (1 - sure))
    )
    pairs = count * (count - 1)
    told = pairs > 0
    weight = np.where(told, count, 0) / max(int(count[told].sum()), 1)
    smoothed = (correct + 2) / (rows + 4)
    spreads = claimed / rows, squares / rows - (total / rows) ** 2, smoothed * (1 - smoothed)
    return CalibrationGaps(
        place=place,
        rest=gap - (total / rows)[place],
        count=count,
        mean=total / rows,
        weight=weight,
        variance=np.max(spreads, axis=0) / rows,
        error=float(weight @ ((total**2 - squares) / np.maximum(pairs, 1))) if told.any() else None,
    )


def squared_calibration_error(proba: ArrayLike, codes: ArrayLike, bins: int = BINS) -> float | None:
    """Mean over bins of the squared distance between confidence and accuracy, without bias (Kumar, Liang and Ma 2019).

    A bin's mean gap squared is too large by the gap's variance, which is why the expected calibration error of few rows
    is too large. Products of the gaps of two rows of a bin are not: their mean is what the same bins would show of
    endlessly many rows. The same figure is a kernel calibration error whose kernel asks for the same bin (Widmann,
    Lindsten and Zachariah 2019).

    Parameters
    ----------
    proba : array-like of float, shape (n, c)
    codes : array-like of int, shape (n,)
        Columns of the true classes.
    bins : int, default=15
        Of equal mass; those that hold one row are left out.

    Returns
    -------
    float or None
        Up to 1; its root is on the scale of :func:`expected_calibration_error`. Where probabilities are calibrated,
        chance makes it fall below 0 as often as above. None where no two rows share a bin.

    Examples
    --------
    >>> round(squared_calibration_error([[0.8, 0.2]] * 4, [0, 0, 0, 1]), 4)
    -0.06
    """
    return calibration_gaps(as_probabilities(proba), np.asarray(codes), bins).error


def squared_calibration_difference(first: CalibrationGaps, second: CalibrationGaps) -> Interval | None:
    """The 95% interval of how far the second system's error is above the first's on the same rows."""
    if first.error is None or second.error is None:
        return None
    variance = _own_variance(first) + _own_variance(second) - 2 * _covariance(first, second)
    reach = Z * float(np.sqrt(max(variance, 0.0)))
    return Interval(second.error - first.error - reach, second.error - first.error + reach)


def _own_variance(gaps: CalibrationGaps) -> float:
    """Of the error: that of a sum of squares of independent normal means."""
    spread = gaps.weight**2 * gaps.variance
    return float(4 * spread @ gaps.mean**2 + 2 * spread @ gaps.variance)


def _covariance(first: CalibrationGaps, second: CalibrationGaps) -> float:
    shape = len(first.count), len(second.count)
    cells = np.bincount(first.place * shape[1] + second.place, first.rest * second.rest, shape[0] * shape[1])
    shared = cells.reshape(shape) / np.maximum(np.outer(first.count, second.count), 1)
    means, weights = np.outer(first.mean, second.mean), np.outer(first.weight, second.weight)
    return float((weights * (4 * means * shared + 2 * shared**2)).sum())
