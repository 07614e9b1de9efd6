"""Classifiers over embeddings, and what makes their votes probabilities: arrays in, arrays out, no torch."""

from ferembed.estimators.adapters import FunctionMember, TableMember
from ferembed.estimators.calibrated import CalibratedClassifier
from ferembed.estimators.calibration import (
    Calibration,
    DirichletCalibration,
    IsotonicCalibration,
    TemperatureScaling,
    VectorScaling,
    calibration_from_dict,
    fit_calibration,
)
from ferembed.estimators.knn import KNNClassifier
from ferembed.estimators.onnx_member import ONNXMember
from ferembed.estimators.open_set import OpenSet
from ferembed.estimators.pooling import fit_pool_weights, pool_probabilities
from ferembed.estimators.rejection import RejectOption, conformal_threshold, selective_threshold
from ferembed.estimators.softmax import SoftmaxHead
from ferembed.estimators.stacking import StackingEnsemble
from ferembed.estimators.voting import VotingEnsemble

__all__ = [
    "CalibratedClassifier",
    "Calibration",
    "DirichletCalibration",
    "FunctionMember",
    "IsotonicCalibration",
    "KNNClassifier",
    "ONNXMember",
    "OpenSet",
    "RejectOption",
    "SoftmaxHead",
    "StackingEnsemble",
    "TableMember",
    "TemperatureScaling",
    "VectorScaling",
    "VotingEnsemble",
    "calibration_from_dict",
    "conformal_threshold",
    "fit_calibration",
    "fit_pool_weights",
    "pool_probabilities",
    "selective_threshold",
]
