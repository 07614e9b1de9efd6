"""A classifier that may say "unknown", on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from sklearn.frozen import FrozenEstimator

from ferembed.estimators.held_out import adopt_features
from ferembed.estimators.parameters import from_plain, plain_parameters
from ferembed.estimators.saved import classes_from_json, classes_to_json, read_state, write_state
from ferembed.estimators.wrapper import unknown_label
from ferembed.storage import StorageError

Rejecting = TypeVar("Rejecting")


def write_reject(path: Path, classifier: Any, found: Mapping[str, float]) -> None:
    """Write the parameters of a fitted wrapper and the numbers that ``fit`` found, which may be infinite."""
    config = {
        "parameters": plain_parameters(classifier, without=["estimator"]),
        "classes": classes_to_json(classifier.classes_),
        "found": {name: str(value) for name, value in found.items()},
    }
    write_state(path, type(classifier).__name__, config, {})


def read_reject(path: Path, kind: type[Rejecting], estimator: Any) -> tuple[Rejecting, dict[str, float]]:
    """What :func:`write_reject` wrote, joined to the fitted estimator, and the numbers.

    Raises
    ------
    StorageError
        If the folder holds something else.
    ValueError
        If the estimator's classes are others than those saved.
    """
    config, _ = read_state(path, kind.__name__)
    try:
        classes = classes_from_json(config["classes"])
        found = {name: float(value) for name, value in config["found"].items()}
        parameters = {name: from_plain(value) for name, value in config["parameters"].items()}
        classifier: Any = kind(FrozenEstimator(estimator), **parameters)  # type: ignore[call-arg]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StorageError(f"{path} does not describe a {kind.__name__} ({error}).") from error
    if not np.array_equal(classes, estimator.classes_):
        raise ValueError(f"{path} was fitted for the classes {classes.tolist()}; the estimator has others.")
    classifier.estimator_, classifier.classes_ = estimator, classes
    classifier.unknown_ = unknown_label(classes, classifier.unknown)
    adopt_features(classifier, estimator)
    return classifier, found
