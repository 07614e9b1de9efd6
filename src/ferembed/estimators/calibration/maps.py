"""Calibrations: maps from class probabilities to class probabilities, fitted on held-out data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferembed.estimators.calibration.evidence import CLASS_ROWS, evidence, targets, warn_of_little
from ferembed.estimators.softmax_map import apply_softmax_map, fit_softmax_map
from ferembed.probability import (
    Codes,
    Floats,
    as_probabilities,
    cross_entropy,
    first_of_the_best,
    safe_log,
    smooth,
    smoothings,
    softmax,
)

CalibrationMethod = Literal["temperature", "vector", "isotonic", "dirichlet"]

DIRICHLET_PENALTY = 1e-2
"""Off-diagonal and intercept regularisation (ODIR) of Dirichlet calibration, in the scale of Kull et al. (2019)."""

_STEADY = 1e-6
"""A pull towards the identity that keeps separable data from driving a coefficient to infinity."""


class Calibration(Protocol):
    """What every calibration does: map probabilities ``(n, c)`` to probabilities ``(n, c)``, and become JSON."""

    method: ClassVar[CalibrationMethod]

    def __call__(self, proba: ArrayLike) -> Floats:
        """Calibrated probabilities, float64 of shape ``(n, c)``."""

    def to_dict(self) -> dict[str, Any]:
        """The calibration as JSON values, for :func:`calibration_from_dict`."""


@dataclass(frozen=True)
class TemperatureScaling:
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
        fits = [cls(_best_temperature(smooth(proba, s), wanted, sample_weight), s) for s in smoothings(proba)]
        return fits[first_of_the_best([cross_entropy(fit(proba), wanted, sample_weight) for fit in fits])]

    def __call__(self, proba: ArrayLike) -> Floats:
        return softmax(safe_log(smooth(as_probabilities(proba), self.smoothing)) / self.temperature)

    def to_dict(self) -> dict[str, Any]:
        return {"method": self.method, "temperature": self.temperature, "smoothing": self.smoothing}


@dataclass(frozen=True, eq=False)
class _LinearLogCalibration:
    """Softmax of ``W log p + b``.

    Parameters
    ----------
    coefficients : ndarray of float64, shape (c, c + 1)
        ``W`` with ``b`` as its last column.
    smoothing : float
        Part of each distribution that is made uniform first, 0 to 1.
    """

    method: ClassVar[CalibrationMethod]
    coefficients: Floats
    smoothing: float = 0.0

    def __call__(self, proba: ArrayLike) -> Floats:
        features = safe_log(smooth(as_probabilities(proba), self.smoothing))
        result: Floats = np.exp(apply_softmax_map(self.coefficients, features))
        return result

    def to_dict(self) -> dict[str, Any]:
        return {"method": self.method, "coefficients": self.coefficients.tolist(), "smoothing": self.smoothing}


class VectorScaling(_LinearLogCalibration):
    """Softmax of ``w * log p + b``: one factor and one bias for each class (Guo et al. 2017)."""

    method: ClassVar[CalibrationMethod] = "vector"

    @classmethod
    def fit(cls, proba: Floats, codes: Codes, sample_weight: Floats | None = None) -> VectorScaling:
        """The most likely factors and biases; never less likely than no calibration on the data it is fitted to."""
        identity = np.eye(proba.shape[1], proba.shape[1] + 1)
        free = identity > 0
        free[:, -1] = True
        penalty = np.full(identity.shape, _STEADY)
        return cls(*_likeliest_map(proba, codes, sample_weight, penalty, free))


class DirichletCalibration(_LinearLogCalibration):
    """Softmax of ``W log p + b`` with a full matrix ``W`` (Kull et al. 2019).

    Off-diagonal entries and biases are drawn to 0 by :data:`DIRICHLET_PENALTY`.
    """

    method: ClassVar[CalibrationMethod] = "dirichlet"

    @classmethod
    def fit(cls, proba: Floats, codes: Codes, sample_weight: Floats | None = None) -> DirichletCalibration:
        """The most likely map under its penalty; never less likely than no calibration on the data it is fitted to."""
        count = proba.shape[1]
        penalty = np.full((count, count + 1), DIRICHLET_PENALTY / max(count * (count - 1), 1))
        penalty[:, -1] = DIRICHLET_PENALTY / count
        np.fill_diagonal(penalty, _STEADY)
        return cls(*_likeliest_map(proba, codes, sample_weight, penalty, np.ones(penalty.shape, dtype=bool)))


@dataclass(frozen=True)
class IsotonicCalibration:
    """For each class a rising step-and-slope function of its probability, then normalised (Zadrozny and Elkan 2002).

    Parameters
    ----------
    knots : tuple of (tuple of float, tuple of float), one for each class
        Probabilities in rising order and what each becomes; linear between, constant outside.
    """

    method: ClassVar[CalibrationMethod] = "isotonic"
    knots: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]

    @classmethod
    def fit(cls, proba: Floats, codes: Codes, sample_weight: Floats | None = None) -> IsotonicCalibration:
        """One isotonic regression for each class against the rest; one row more at 0 and at 1 says that these stay.

        Values stay above ``1 / (n + 2)``: ``n`` rows, those of the prior among them, never rule a class out.
        """
        from sklearn.isotonic import IsotonicRegression

        prior = CLASS_ROWS * proba.shape[1]
        total = evidence(len(codes), sample_weight) + prior
        rows = np.ones(len(codes)) if sample_weight is None else sample_weight
        weights = np.concatenate([rows * total / rows.sum(), [1.0, 1.0]])
        knots = []
        for column, wanted in zip(proba.T, targets(proba, codes, sample_weight, prior).T, strict=True):
            regression = IsotonicRegression(y_min=1.0 / (total + 2.0), y_max=1.0, out_of_bounds="clip")
            regression.fit(np.append(column, [0.0, 1.0]), np.append(wanted, [0.0, 1.0]), weights)
            knots.append((tuple(regression.X_thresholds_.tolist()), tuple(regression.y_thresholds_.tolist())))
        return cls(tuple(knots))

    def __call__(self, proba: ArrayLike) -> Floats:
        columns = as_probabilities(proba).T
        raised = np.stack([np.interp(*each) for each in zip(columns, *zip(*self.knots, strict=True), strict=True)], 1)
        result: Floats = raised / raised.sum(axis=1, keepdims=True)
        return result

    def to_dict(self) -> dict[str, Any]:
        return {"method": self.method, "knots": self.knots}


_METHODS: dict[str, Any] = {
    kind.method: kind for kind in (TemperatureScaling, VectorScaling, IsotonicCalibration, DirichletCalibration)
}


def fit_calibration(
    method: CalibrationMethod | None, proba: ArrayLike, codes: ArrayLike, sample_weight: ArrayLike | None = None
) -> Calibration:
    """Fit a calibration on held-out probabilities.

    What the classifier said counts as :data:`~ferembed.estimators.calibration.evidence.PRIOR_ROWS` more rows, or
    :data:`~ferembed.estimators.calibration.evidence.CLASS_ROWS` for each class where the method fits the classes apart:
    a few rows correct it little, and thousands as they say.

    Parameters
    ----------
    method : {"temperature", "vector", "isotonic", "dirichlet"} or None
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
        If the rows are worth fewer than :data:`~ferembed.estimators.calibration.evidence.LITTLE`.

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
    ValueError
        If it does not describe a calibration.

    Examples
    --------
    >>> calibration_from_dict(TemperatureScaling(1.5).to_dict())
    TemperatureScaling(temperature=1.5, smoothing=0.0)
    """
    fields = dict(saved)
    kind = _METHODS.get(fields.pop("method", ""))
    try:
        if kind is None:
            raise ValueError("its method is missing or unknown")
        if "coefficients" in fields:
            fields["coefficients"] = np.asarray(fields["coefficients"], dtype=np.float64)
        if "knots" in fields:
            fields["knots"] = tuple((tuple(x), tuple(y)) for x, y in fields["knots"])
        calibration: Calibration = kind(**fields)
    except (TypeError, ValueError) as error:
        raise ValueError(f"This is not a saved calibration: {error}.") from error
    return calibration


def _best_temperature(proba: Floats, wanted: Floats, sample_weight: Floats | None) -> float:
    from scipy.optimize import minimize_scalar

    log_proba = safe_log(proba)

    def loss(log_power: float) -> float:
        return cross_entropy(softmax(np.exp(log_power) * log_proba), wanted, sample_weight)

    # The loss is convex in the power, so that over its logarithm it has one valley. Beyond its ends (temperatures of
    # 1/148 and 148) nothing is gained, but classes that a classifier tells apart would become equal but for rounding.
    best = minimize_scalar(loss, bounds=(-5.0, 5.0), method="bounded", options={"xatol": 1e-10})
    return (1.0, float(np.exp(-best.x)))[first_of_the_best([loss(0.0), best.fun])]


def _likeliest_map(
    proba: Floats, codes: Codes, sample_weight: Floats | None, penalty: Floats, free: NDArray[np.bool_]
) -> tuple[Floats, float]:
    fits = []
    wanted = targets(proba, codes, sample_weight, CLASS_ROWS * proba.shape[1])
    for smoothing in smoothings(proba):
        features = safe_log(smooth(proba, smoothing))
        fitted = fit_softmax_map(features, wanted, np.eye(*penalty.shape), penalty, sample_weight, free)
        loss = cross_entropy(np.exp(apply_softmax_map(fitted, features)), wanted, sample_weight)
        fits.append((loss, fitted, smoothing))
    _, coefficients, smoothing = fits[first_of_the_best([loss for loss, *_ in fits])]
    return coefficients, smoothing
