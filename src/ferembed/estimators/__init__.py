"""Classifiers over embeddings, and what makes their votes probabilities: arrays in, arrays out, no torch."""

from ferembed.estimators.calibration import (
    CalibratedClassifier,
    Calibration,
    IsotonicCalibration,
    JointIsotonicCalibration,
    TemperatureScaling,
    VectorScaling,
    calibration_from_dict,
    fit_calibration,
)
from ferembed.estimators.ensembles import (
    FunctionMember,
    ONNXMember,
    StackingEnsemble,
    TableMember,
    TorchMember,
    VotingEnsemble,
    fit_pool_weights,
)
from ferembed.estimators.knn import KNNClassifier
from ferembed.estimators.rejection import OpenSet, RejectOption, conformal_threshold, selective_threshold
from ferembed.estimators.softmax import SoftmaxHead
from ferembed.probability import pool_probabilities

__all__ = [
    "CalibratedClassifier",
    "Calibration",
    "FunctionMember",
    "IsotonicCalibration",
    "JointIsotonicCalibration",
    "KNNClassifier",
    "ONNXMember",
    "OpenSet",
    "RejectOption",
    "SoftmaxHead",
    "StackingEnsemble",
    "TableMember",
    "TemperatureScaling",
    "TorchMember",
    "VectorScaling",
    "VotingEnsemble",
    "calibration_from_dict",
    "conformal_threshold",
    "fit_calibration",
    "fit_pool_weights",
    "pool_probabilities",
    "selective_threshold",
]
