"""Votes and scores made probabilities on held-out rows."""

from ferembed.estimators.calibration.calibrated import CalibratedClassifier
from ferembed.estimators.calibration.maps import (
    Calibration,
    CalibrationMethod,
    IsotonicCalibration,
    TemperatureScaling,
    VectorScaling,
    calibration_from_dict,
    fit_calibration,
)

__all__ = [
    "CalibratedClassifier",
    "Calibration",
    "CalibrationMethod",
    "IsotonicCalibration",
    "TemperatureScaling",
    "VectorScaling",
    "calibration_from_dict",
    "fit_calibration",
]
