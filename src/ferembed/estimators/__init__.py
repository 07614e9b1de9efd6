"""Classifiers over embeddings, and what makes their votes probabilities: arrays in, arrays out, no torch."""

from ferembed.estimators.calibration.calibrated import CalibratedClassifier
from ferembed.estimators.calibration.maps import (
    Calibration,
    DirichletCalibration,
    IsotonicCalibration,
    TemperatureScaling,
    VectorScaling,
    calibration_from_dict,
    fit_calibration,
)
from ferembed.estimators.ensembles.members import FunctionMember, TableMember, TorchMember
from ferembed.estimators.ensembles.onnx_member import ONNXMember
from ferembed.estimators.ensembles.pooling import fit_pool_weights, pool_probabilities
from ferembed.estimators.ensembles.stacking import StackingEnsemble
from ferembed.estimators.ensembles.voting import VotingEnsemble
from ferembed.estimators.knn.classifier import KNNClassifier
from ferembed.estimators.rejection.open_set import OpenSet
from ferembed.estimators.rejection.reject_option import RejectOption, conformal_threshold, selective_threshold
from ferembed.estimators.softmax import SoftmaxHead

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
