"""Calibrations: maps from class probabilities to class probabilities, fitted on held-out data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import ArrayLike

from ferembed.estimators.calibration.base import Calibration, CalibrationMethod
from ferembed.estimators.calibration.isotonic import IsotonicCalibration, JointIsotonicCalibration
from ferembed.estimators.likelihood import (
    CLASS_ROWS,
    apply_softmax_map,
    cross_entropy,
    fit_softmax_map,
    targets,
    warn_of_little,
)
from ferembed.probability import (
    Array,
    Codes,
    Floats,
    as_probabilities,
    first_of_the_best,
    safe_log,
    smooth,
    softmax,
)
from ferembed.storage import StorageError

VOTE_SMOOTHING = 0.05
"""Part of a vote that is made uniform before its logarithm, where votes hold exact zeros."""

_STEADY = 1e-6
"""A pull towards the identity that keeps separable data from driving a coefficient to infinity."""


@dataclass(frozen=True)
class TemperatureScaling(Calibration):
    """Raise probabilities to the power ``1 / temperature`` and normalise (Guo et al. 2017).

    The most likely class never changes.

    Parameters
    ----------
    temperature : float
        Above 1 softens, below 1 sharpens.
    smoothing : float
        Part of each distribution that is made uniform first, 0 to 1.

    Examples
    --------
    >>> TemperatureScaling(2.0)([[0.1, 0.9]]).round(3).tolist()
    [[0.25, 0.75]]
    """

    method: ClassVar[CalibrationMethod] = "temperature"
    temperature: float = 1.0
    smoothing: float = 0.0

    @classmethod
    def fit(cls, proba: Floats, codes: Codes, sample_weight: Floats | None = None) -> TemperatureScaling:
        """The most likely temperature; on the data it is fitted to it is never less likely than 1.

        Votes with exact zeros are tried smoothed and not. Of equally likely ones smoothing goes before none, and a
        temperature of 1 before another.
        """
        wanted = targets(proba, codes, sample_weight)
        fits = [cls(_best_temperature(smooth(proba, s), wanted, sample_weight), s) for s in _smoothings(proba)]
        return fits[first_of_the_best([cross_entropy(fit(proba), wanted, sample_weight) for fit in fits])]

    def map(self, proba: Array) -> Array:
        return softmax(safe_log(smooth(proba, self.smoothing)) / self.temperature)

    def to_dict(self) -> dict[str, Any]:
        return {"method": self.method, "temperature": self.temperature, "smoothing": self.smoothing}


@dataclass(frozen=True, eq=False)
class VectorScaling(Calibration):
    """Softmax of ``W log p + b``, ``W`` diagonal: one factor and one bias for each class (Guo et al. 2017).

    Parameters
    ----------
    coefficients : ndarray of float64, shape (c, c + 1)
        ``W`` with ``b`` as its last column.
    smoothing : float
        Part of each distribution that is made uniform first, 0 to 1.
    """

    method: ClassVar[CalibrationMethod] = "vector"
    coefficients: Floats
    smoothing: float = 0.0

    @classmethod
    def fit(cls, proba: Floats, codes: Codes, sample_weight: Floats | None = None) -> VectorScaling:
        """The most likely factors and biases; never less likely than no calibration on the data it is fitted to."""
        identity = np.eye(proba.shape[1], proba.shape[1] + 1)
        free = identity > 0
        free[:, -1] = True
        penalty = np.full(identity.shape, _STEADY)
        wanted = targets(proba, codes, sample_weight, CLASS_ROWS * proba.shape[1])
        fits = []
        for smoothing in _smoothings(proba):
            features = safe_log(smooth(proba, smoothing))
            fits.append(cls(fit_softmax_map(features, wanted, identity, penalty, sample_weight, free), smoothing))
        return fits[first_of_the_best([cross_entropy(fit(proba), wanted, sample_weight) for fit in fits])]

    def map(self, proba: Array) -> Array:
        features = safe_log(smooth(proba, self.smoothing))
        result: Array = array_namespace(proba).exp(apply_softmax_map(self.coefficients, features))
        return result

    def to_dict(self) -> dict[str, Any]:
        return {"method": self.method, "coefficients": self.coefficients.tolist(), "smoothing": self.smoothing}


_KINDS = (TemperatureScaling, VectorScaling, IsotonicCalibration, JointIsotonicCalibration)
_METHODS: dict[str, Any] = {kind.method: kind for kind in _KINDS}


def fit_calibration(
    method: CalibrationMethod | None, proba: ArrayLike, codes: ArrayLike, sample_weight: ArrayLike | None = None
) -> Calibration:
    """Fit a calibration on held-out probabilities.

    What the classifier said counts as :data:`~ferembed.estimators.likelihood.PRIOR_ROWS` more rows, or
    :data:`~ferembed.estimators.likelihood.CLASS_ROWS` for each class where the method fits the classes apart:
    a few rows correct it little, and thousands as they say.

    Parameters
    ----------
    method : {"temperature", "vector", "isotonic", "joint_isotonic"} or None
        ``None`` gives the calibration that changes nothing.
    proba : array-like of float, shape (n, c)
        Probabilities of data that the classifier was not fitted to.
    codes : array-like of int, shape (n,)
        Columns of the true classes, 0 to c - 1.
    sample_weight : array-like of float, shape (n,), optional
        Whole numbers count as copies; of others only the ratios matter.

    Warns
    -----
    UserWarning
        If the rows are worth fewer than :data:`~ferembed.estimators.likelihood.LITTLE`.

    Raises
    ------
    ValueError
        If the method is unknown, the rows of ``proba`` are not distributions, or a code is out of range.

    Examples
    --------
    >>> too_sure = [[0.99, 0.01]] * 4000
    >>> fit_calibration("temperature", too_sure, [0, 0, 0, 1] * 1000)(too_sure)[0].round(2).tolist()
    [0.75, 0.25]
    """
    if method is None:
        return TemperatureScaling()
    if method not in _METHODS:
        raise ValueError(
            f"Unknown calibration {method!r}: choose from {', '.join(_METHODS)}, or None for no calibration."
        )
    values = as_probabilities(proba)
    columns: Codes = np.asarray(codes, dtype=np.intp)
    if columns.shape != values.shape[:1]:
        raise ValueError(f"{len(values)} rows of probabilities need as many true classes; got shape {columns.shape}.")
    if columns.size and not (columns.min() >= 0 and columns.max() < values.shape[1]):
        raise ValueError(f"True classes must be columns of the probabilities, 0 to {values.shape[1] - 1}.")
    weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    warn_of_little(f"Calibration by {method} was given", len(columns), weights)
    fitted: Calibration = _METHODS[method].fit(values, columns, weights)
    return fitted


def calibration_from_dict(saved: Mapping[str, Any]) -> Calibration:
    """The inverse of a calibration's ``to_dict``, also after a trip through JSON.

    Raises
    ------
    StorageError
        If it does not describe a calibration, or one that is gone.

    Examples
    --------
    >>> calibration_from_dict(TemperatureScaling(1.5).to_dict())
    TemperatureScaling(temperature=1.5, smoothing=0.0)
    """
    fields = dict(saved)
    method = fields.pop("method", "")
    if method == "dirichlet":
        raise StorageError(f"Dirichlet calibration is gone: fit anew with one of {', '.join(_METHODS)}.")
    try:
        if "coefficients" in fields:
            fields["coefficients"] = np.asarray(fields["coefficients"], dtype=np.float64)
        if "knots" in fields:
            fields["knots"] = _frozen(fields["knots"])
        calibration: Calibration = _METHODS[method](**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"This is not a saved calibration ({error}).") from error
    return calibration


def _frozen(values: Any) -> Any:
    """Lists within lists as tuples within tuples."""
    return tuple(map(_frozen, values)) if isinstance(values, list | tuple) else values


def _smoothings(proba: Floats) -> tuple[float, ...]:
    """The amounts of smoothing to try: none, and :data:`VOTE_SMOOTHING` first where a probability is exactly zero."""
    return (0.0,) if (proba > 0).all() else (VOTE_SMOOTHING, 0.0)


def _best_temperature(proba: Floats, wanted: Floats, sample_weight: Floats | None) -> float:
    from scipy.optimize import minimize_scalar

    log_proba = safe_log(proba)

    def loss(log_power: float) -> float:
        return cross_entropy(softmax(np.exp(log_power) * log_proba), wanted, sample_weight)

    # The loss is convex in the power, so that over its logarithm it has one valley. Beyond its ends (temperatures of
    # 1/148 and 148) nothing is gained, but classes that a classifier tells apart would become equal but for rounding.
    best = minimize_scalar(loss, bounds=(-5.0, 5.0), method="bounded", options={"xatol": 1e-10})
    return (1.0, float(np.exp(-best.x)))[first_of_the_best([loss(0.0), best.fun])]
