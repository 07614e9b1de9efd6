"""How far confidence is from accuracy: reliability curves and calibration errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.probability import Codes, Floats, as_probabilities
from ferembed.ties import most_probable

Binning = Literal["width", "mass"]


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
