"""A fitted classifier on disk: its parameters and classes, and what else its ``fit`` found."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ferembed.estimators.parameters import from_plain, plain_parameters
from ferembed.estimators.state import classes_from_json, classes_to_json, read_state, write_state
from ferembed.storage import StorageError

Classifier = TypeVar("Classifier")


def write_classifier(
    path: Path,
    classifier: Any,
    found: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    without: Collection[str] = (),
) -> None:
    """Write a fitted classifier into the folder ``path``, made where it is missing.

    Parameters
    ----------
    path : Path
        The folder. As a whole it is not atomic: wrap the call in :func:`ferembed.storage.atomic_folder`.
    classifier : classifier
        Its class, parameters, ``classes_`` (str, int, float or bool) and feature names are written.
    found : mapping
        What else ``fit`` found, as JSON.
    arrays : mapping of str to ndarray
        Numeric arrays.
    without : collection of str
        Parameters that are saved as None.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ValueError
        If a parameter cannot be saved.
    """
    check_is_fitted(classifier)
    config = {
        "parameters": plain_parameters(classifier, without) | {name: None for name in without},
        "classes": classes_to_json(classifier.classes_),
        "features": classifier.n_features_in_,
        "feature_names": getattr(classifier, "feature_names_in_", np.array([])).tolist(),
        "found": dict(found),
    }
    write_state(path, type(classifier).__name__, config, arrays)


def read_classifier(path: Path, kind: type[Classifier]) -> tuple[Classifier, dict[str, Any], dict[str, NDArray[Any]]]:
    """What :func:`write_classifier` wrote.

    Returns
    -------
    classifier : kind
        With its parameters, ``classes_``, ``n_features_in_`` and ``feature_names_in_``.
    found, arrays : dict
        As they were written.

    Raises
    ------
    StorageError
        If a file is missing or unreadable, or the folder holds something else.
    """
    config, arrays = read_state(path, kind.__name__)
    try:
        classifier: Any = kind(**{name: from_plain(value) for name, value in config["parameters"].items()})
        classifier.classes_ = classes_from_json(config["classes"])
        classifier.n_features_in_ = int(config["features"])
        if config["feature_names"]:
            classifier.feature_names_in_ = np.array(config["feature_names"], dtype=object)
        return classifier, config["found"], arrays
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"{path} does not describe a {kind.__name__} ({error}).") from error
