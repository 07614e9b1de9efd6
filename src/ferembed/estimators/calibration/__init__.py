"""Votes and scores made probabilities on held-out rows."""

from ferembed.estimators.calibration.base import Calibration, CalibrationMethod
from ferembed.estimators.calibration.calibrated import CalibratedClassifier
from ferembed.estimators.calibration.isotonic import IsotonicCalibration, JointIsotonicCalibration
from ferembed.estimators.calibration.maps import (
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
    "JointIsotonicCalibration",
    "TemperatureScaling",
    "VectorScaling",
    "calibration_from_dict",
    "fit_calibration",
]
