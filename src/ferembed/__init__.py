"""Facial-expression recognition by metric learning: embeddings, nearest-neighbour votes, calibrated probabilities."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ferembed.auditing import AuditReport, audit
    from ferembed.data import (
        DataError,
        FaceDataset,
        drawn_faces,
        load_dataset,
        load_fer2013,
        load_folder,
        load_manifest,
    )
    from ferembed.estimators import CalibratedClassifier, KNNClassifier, SoftmaxHead, StackingEnsemble, VotingEnsemble
    from ferembed.evaluation import Metrics, evaluate_probabilities
    from ferembed.explain import (
        Saliency,
        SimilaritySaliency,
        deletion_curve,
        explain_class,
        explain_similarity,
        insertion_curve,
        plot_saliency,
        plot_saliency_grid,
        plot_similarity_saliency,
        randomisation_test,
    )
    from ferembed.models import Encoder
    from ferembed.recognizer import Recognizer
    from ferembed.report import write_comparison, write_report
    from ferembed.runs import Comparison, Evaluation, compare, evaluate, train
    from ferembed.storage import StorageError
    from ferembed.training import CollapseWarning, Recipe, RecipeError, TrainingError, recipe_names

_HOMES: dict[str, str] = {
    "AuditReport": "auditing",
    "CalibratedClassifier": "estimators",
    "CollapseWarning": "training",
    "Comparison": "runs",
    "DataError": "data",
    "Encoder": "models",
    "Evaluation": "runs",
    "FaceDataset": "data",
    "KNNClassifier": "estimators",
    "Metrics": "evaluation",
    "Recipe": "training",
    "RecipeError": "training",
    "Recognizer": "recognizer",
    "Saliency": "explain",
    "SimilaritySaliency": "explain",
    "SoftmaxHead": "estimators",
    "StackingEnsemble": "estimators",
    "StorageError": "storage",
    "TrainingError": "training",
    "VotingEnsemble": "estimators",
    "deletion_curve": "explain",
    "audit": "auditing",
    "compare": "runs",
    "drawn_faces": "data",
    "evaluate": "runs",
    "evaluate_probabilities": "evaluation",
    "explain_class": "explain",
    "explain_similarity": "explain",
    "insertion_curve": "explain",
    "load": "recognizer",
    "load_dataset": "data",
    "load_fer2013": "data",
    "load_folder": "data",
    "load_manifest": "data",
    "plot_saliency": "explain",
    "plot_saliency_grid": "explain",
    "plot_similarity_saliency": "explain",
    "randomisation_test": "explain",
    "recipe_names": "training",
    "train": "runs",
    "write_comparison": "report",
    "write_report": "report",
}

__version__: str
__all__ = ["__version__", *sorted([*_HOMES, "models"])]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("ferembed")
    if name == "models":
        return importlib.import_module("ferembed.models")
    if name not in _HOMES:
        raise AttributeError(f"module 'ferembed' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"ferembed.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *globals()]
