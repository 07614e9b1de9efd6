"""Several classifiers as one."""

from ferembed.estimators.ensembles.members import FunctionMember, TableMember, TorchMember
from ferembed.estimators.ensembles.onnx_member import ONNXMember
from ferembed.estimators.ensembles.stacking import StackingEnsemble
from ferembed.estimators.ensembles.voting import VotingEnsemble, fit_pool_weights

__all__ = [
    "FunctionMember",
    "ONNXMember",
    "StackingEnsemble",
    "TableMember",
    "TorchMember",
    "VotingEnsemble",
    "fit_pool_weights",
]
