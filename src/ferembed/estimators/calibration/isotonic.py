"""Calibrations by isotonic regression: a curve for each class, or one for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from array_api_compat import array_namespace

from ferembed.estimators.calibration.base import Calibration, CalibrationMethod
from ferembed.estimators.likelihood import CLASS_ROWS, PRIOR_ROWS, evidence, targets
from ferembed.probability import Array, Codes, Floats

Knots = tuple[tuple[float, ...], tuple[float, ...]]

_TILT = 1e-3
"""Slope of the common curve where the regression is flat."""


@dataclass(frozen=True)
class IsotonicCalibration(Calibration):
    """For each class a rising step-and-slope function of its probability, then normalised (Zadrozny and Elkan 2002).

    The steps are flat almost everywhere: a tensor that requires a gradient is passed on as it is.

    Parameters
    ----------
    knots : tuple of (tuple of float, tuple of float), one for each class
        Probabilities in rising order and what each becomes; linear between, constant outside.
    """

    method: ClassVar[CalibrationMethod] = "isotonic"
    knots: tuple[Knots, ...]

    @classmethod
    def fit(cls, proba: Floats, codes: Codes, sample_weight: Floats | None = None) -> IsotonicCalibration:
        """One isotonic regression for each class against the rest; one row more at 0 and at 1 says that these stay.

        Values stay above ``1 / (n + 2)``: ``n`` rows, those of the prior among them, never rule a class out.
        """
        prior = CLASS_ROWS * proba.shape[1]
        wanted = targets(proba, codes, sample_weight, prior)
        weights = _weights(len(codes), sample_weight, prior)
        return cls(
            tuple(
                _corners(*_regression(*column, weights, weights.sum()))
                for column in zip(proba.T, wanted.T, strict=True)
            )
        )

    def map(self, proba: Array) -> Array:
        if getattr(proba, "requires_grad", False):
            return proba
        raised = np.stack([np.interp(p, *knots) for p, knots in zip(proba.T, self.knots, strict=True)], axis=1)
        return _normalised(raised, proba)

    def to_dict(self) -> dict[str, Any]:
        return {"method": self.method, "knots": self.knots}


@dataclass(frozen=True)
class JointIsotonicCalibration(Calibration):
    """One rising function of the probability for all classes, then normalised (Zhang, Kailkhura and Han 2020).

    The order of the classes never changes, hence the most likely one does not, and all classes' probabilities together
    decide the curve. It is all but flat in places: a tensor that requires a gradient is passed on as it is.

    Parameters
    ----------
    knots : (tuple of float, tuple of float)
        Probabilities in rising order and what each becomes, rising too; linear between, constant outside.

    Examples
    --------
    >>> JointIsotonicCalibration(((0.0, 0.8, 1.0), (0.0, 0.4, 1.0)))([[0.8, 0.2]]).round(3).tolist()
    [[0.8, 0.2]]
    >>> JointIsotonicCalibration(((0.0, 0.5, 1.0), (0.1, 0.5, 0.6)))([[1.0, 0.0]]).round(3).tolist()
    [[0.857, 0.143]]
    """

    method: ClassVar[CalibrationMethod] = "joint_isotonic"
    knots: Knots

    @classmethod
    def fit(cls, proba: Floats, codes: Codes, sample_weight: Floats | None = None) -> JointIsotonicCalibration:
        """One isotonic regression over each row's every class; one row more at 0 and at 1 says that these stay.

        Values stay above ``1 / (n + 2)``, and a thousandth of the probability is added to them, so that none are equal
        that were not.
        """
        wanted = targets(proba, codes, sample_weight)
        weights = _weights(len(codes), sample_weight, PRIOR_ROWS)
        x, y = _regression(proba.ravel(), wanted.ravel(), np.repeat(weights, proba.shape[1]), weights.sum())
        return cls(_corners(x, y + _TILT * x))

    def map(self, proba: Array) -> Array:
        if getattr(proba, "requires_grad", False):
            return proba
        return _normalised(np.asarray(np.interp(proba, *self.knots)), proba)

    def to_dict(self) -> dict[str, Any]:
        return {"method": self.method, "knots": self.knots}


def _weights(rows: int, sample_weight: Floats | None, prior: float) -> Floats:
    """The rows' weights, which together are worth what they and the prior's rows are."""
    weights = np.ones(rows) if sample_weight is None else sample_weight
    return np.asarray(weights * (evidence(rows, sample_weight) + prior) / weights.sum())


def _regression(said: Floats, wanted: Floats, weights: Floats, rows: float) -> tuple[Floats, Floats]:
    """Where a rising function through what was said and is wanted bends, one row more at 0 and at 1."""
    from sklearn.isotonic import IsotonicRegression

    regression = IsotonicRegression(y_min=1.0 / (rows + 2.0), y_max=1.0, out_of_bounds="clip")
    ends = [0.0, 1.0]
    regression.fit(np.append(said, ends), np.append(wanted, ends), np.append(weights, [1.0, 1.0]))
    return regression.X_thresholds_, regression.y_thresholds_


def _normalised(raised: Floats, like: Array) -> Array:
    result: Array = array_namespace(like).asarray(raised / raised.sum(axis=1, keepdims=True))
    return result


def _corners(x: Floats, y: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Where a function that is linear between its points bends: the points that say all of it."""
    left, right = np.diff(x)[:-1], np.diff(x)[1:]
    straight = (y[:-2] * right + y[2:] * left) / (left + right)
    bends = np.concatenate([[True], np.abs(y[1:-1] - straight) > 1e-9, [True]])
    return tuple(x[bends].tolist()), tuple(y[bends].tolist())
