"""How far probabilities are from the frequencies that they announce."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.evaluation.intervals import Interval, Z
from ferembed.probability import Codes, Floats, as_probabilities, most_probable

Binning = Literal["width", "mass"]

BINS = 15


@dataclass(frozen=True, eq=False)
class ReliabilityCurve:
    """Confidence and accuracy in bins, empty bins left out.

    Attributes
    ----------
    edges : ndarray of float64, shape (bins + 1,)
        Borders of all bins, empty ones too, from 0 to 1.
    confidence, accuracy : ndarray of float64, shape (b,)
        Mean confidence of the bin's rows, and the share of them that is right.
    count : ndarray of int64, shape (b,)
        Rows in the bin.
    """

    edges: Floats
    confidence: Floats
    accuracy: Floats
    count: NDArray[np.int64]

    @property
    def error(self) -> float:
        """The expected calibration error: ``|accuracy - confidence|`` averaged over rows, 0 to 1."""
        return float(np.average(np.abs(self.accuracy - self.confidence), weights=self.count))


def reliability_curve(
    confidence: ArrayLike, correct: ArrayLike, bins: int = 15, binning: Binning = "width"
) -> ReliabilityCurve:
    """Sort answers into bins by confidence, and see how often each bin is right.

    Parameters
    ----------
    confidence : array-like of float, shape (n,)
        Probability of the answer, 0 to 1.
    correct : array-like of bool, shape (n,)
    bins : int, default=15
    binning : {"width", "mass"}, default="width"
        Bins of equal width, closed on the right (0 belongs to the first), or bins that hold equally many rows, as far
        as equal confidences, which are never parted, allow.

    Raises
    ------
    ValueError
        If there is no row, the lengths differ, a confidence is outside 0 to 1, or a parameter is out of range.

    Examples
    --------
    >>> curve = reliability_curve([0.9, 0.9, 0.6], [True, False, True], bins=2)
    >>> curve.accuracy.round(3).tolist(), curve.count.tolist(), round(curve.error, 3)
    ([0.667], [3], 0.133)
    """
    sure: Floats = np.asarray(confidence, dtype=np.float64)
    right: Floats = np.asarray(correct, dtype=np.float64)
    if sure.ndim != 1 or sure.shape != right.shape or not sure.size:
        raise ValueError(f"Need one confidence and one answer a row; got shapes {sure.shape} and {right.shape}.")
    if not ((sure >= 0) & (sure <= 1 + 1e-9)).all():
        raise ValueError("Confidences must lie between 0 and 1.")
    if bins < 1:
        raise ValueError(f"bins must be 1 or more; got {bins!r}.")
    edges, place = binned(sure, bins, binning)
    count = np.bincount(place, minlength=len(edges) - 1)
    full = count > 0
    mean_sure = np.bincount(place, sure, len(count))[full] / count[full]
    mean_right = np.bincount(place, right, len(count))[full] / count[full]
    return ReliabilityCurve(edges, mean_sure, mean_right, count[full])


def expected_calibration_error(proba: ArrayLike, codes: ArrayLike, bins: int = 15, binning: Binning = "width") -> float:
    """Mean distance between the confidence and the accuracy of the most probable class, 0 to 1 (Guo et al. 2017).

    Parameters
    ----------
    proba : array-like of float, shape (n, c)
    codes : array-like of int, shape (n,)
        Columns of the true classes.
    bins : int, default=15
    binning : {"width", "mass"}, default="width"
        As for :func:`reliability_curve`.

    Examples
    --------
    >>> round(expected_calibration_error([[0.8, 0.2]] * 4, [0, 0, 0, 1]), 3)
    0.05
    """
    values, truth = as_probabilities(proba), np.asarray(codes)
    return reliability_curve(values.max(axis=1), most_probable(values) == truth, bins, binning).error


def adaptive_calibration_error(proba: ArrayLike, codes: ArrayLike, bins: int = 15) -> float:
    """Calibration error of every class's probability in bins of equal mass, averaged over classes (Nixon et al. 2019).

    Unlike :func:`expected_calibration_error` it counts all classes, not only the most probable one.

    Examples
    --------
    >>> round(adaptive_calibration_error([[0.8, 0.2]] * 4, [0, 0, 0, 1]), 3)
    0.05
    """
    values = as_probabilities(proba)
    truth: Codes = np.asarray(codes)
    errors = [reliability_curve(column, truth == code, bins, "mass").error for code, column in enumerate(values.T)]
    return float(np.mean(errors))


def binned(confidence: Floats, bins: int, binning: Binning) -> tuple[Floats, Codes]:
    """Borders of the bins, shape (b + 1,), and the bin of each row, shape (n,); see :func:`reliability_curve`."""
    edges = _edges(confidence, bins, binning)
    return edges, np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, len(edges) - 2)


def _edges(sure: Floats, bins: int, binning: Any) -> Floats:
    if binning == "width":
        return np.linspace(0.0, 1.0, bins + 1)
    if binning != "mass":
        raise ValueError(f"Unknown binning {binning!r}: choose from width, mass.")
    ends = np.ceil(np.arange(1, bins) * len(sure) / bins).astype(int) - 1
    inner = np.sort(sure)[np.maximum(ends, 0)]
    edges: Floats = np.unique(np.concatenate([[0.0], inner, [max(1.0, sure.max())]]))
    return edges


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
