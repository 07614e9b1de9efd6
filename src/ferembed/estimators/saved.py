"""What an estimator writes to disk: its settings as JSON, its arrays as safetensors. No pickle."""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ferembed.storage import MANIFEST, StorageError, verify_folder, write_json, write_manifest

CONFIG = "config.json"
ARRAYS = "arrays.safetensors"

Classifier = TypeVar("Classifier")


def is_number(value: Any) -> bool:
    """Whether a value is an integer or a real number; a bool is not.

    Examples
    --------
    >>> is_number(0.5), is_number(np.int64(2)), is_number(True), is_number("2")
    (True, True, False, False)
    """
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def is_count(value: Any) -> bool:
    """Whether a value is a whole number from 1.

    Examples
    --------
    >>> is_count(1), is_count(0), is_count(1.0)
    (True, False, False)
    """
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= 1)


def plain(value: Any) -> Any:
    """A parameter as JSON holds it.

    Raises
    ------
    TypeError
        If it is not a number, text, None, a dict of these or a splitter of scikit-learn with such parameters.

    Examples
    --------
    >>> plain(np.float64(0.5)), plain("auto"), plain({1: 2.0})
    (0.5, 'auto', {'pairs': [[1, 2.0]]})
    """
    if isinstance(value, dict):
        return {"pairs": [[plain(key), plain(entry)] for key, entry in value.items()]}
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if _splitter(type(value).__name__) is type(value):
        names = inspect.signature(type(value)).parameters
        return {"splitter": type(value).__name__, "parameters": {name: plain(getattr(value, name)) for name in names}}
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


def from_plain(value: Any) -> Any:
    """The inverse of :func:`plain`.

    Examples
    --------
    >>> from_plain(plain({1: 2.0}))
    {1: 2.0}
    >>> from sklearn.model_selection import StratifiedKFold
    >>> from_plain(plain(StratifiedKFold(3)))
    StratifiedKFold(n_splits=3, random_state=None, shuffle=False)
    """
    if not isinstance(value, dict):
        return value
    if "pairs" in value:
        return dict(value["pairs"])
    kind = _splitter(value["splitter"])
    if kind is None:
        raise ValueError(f"{value['splitter']} is not a splitter of scikit-learn")
    return kind(**{name: from_plain(each) for name, each in value["parameters"].items()})


def _splitter(name: str) -> Any:
    """The class of scikit-learn's splitters that has this name, or None."""
    from sklearn import model_selection

    kind = getattr(model_selection, name, None)
    return kind if isinstance(kind, type) and issubclass(kind, model_selection.BaseCrossValidator) else None


def plain_parameters(estimator: Any, without: Collection[str] = ()) -> dict[str, Any]:
    """An estimator's parameters as JSON holds them.

    Raises
    ------
    ValueError
        If one cannot be saved; the sentence names it and says what can.
    """
    saved = {}
    for name, value in estimator.get_params(deep=False).items():
        if name in without:
            continue
        try:
            saved[name] = plain(value)
        except (AttributeError, TypeError) as error:
            raise ValueError(
                f"{name} of {type(estimator).__name__}, a {type(value).__name__}, cannot be saved: numbers, text, "
                "None, dicts of these and scikit-learn's splitters can. Set another by set_params first."
            ) from error
    return saved


def write_state(path: Path, estimator: str, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an estimator's name, settings, arrays and their checksums into the folder ``path``, made where missing.

    The folder as a whole is not atomic: wrap the call in :func:`ferembed.storage.atomic_folder`.
    """
    from safetensors.numpy import save_file

    path.mkdir(parents=True, exist_ok=True)
    write_json(path / CONFIG, {"estimator": estimator, **config})
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path / ARRAYS)
    write_manifest(path, [CONFIG, ARRAYS])


def read_state(path: Path, estimator: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The settings and arrays written by :func:`write_state`.

    Raises
    ------
    StorageError
        If a file is missing, altered or unreadable, or the folder holds another estimator.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if (path / MANIFEST).is_file():  # older versions wrote none
        verify_folder(path)
    try:
        config: dict[str, Any] = json.loads((path / CONFIG).read_text(encoding="utf-8"))
        arrays = load_file(path / ARRAYS)
    except (OSError, ValueError, SafetensorError) as error:
        raise StorageError(f"{path} holds no readable {estimator} ({error}).") from error
    name = config.pop("estimator", None) if isinstance(config, dict) else None
    if name != estimator:
        raise StorageError(f"{path} holds a saved {name}, not a {estimator}.")
    return config, arrays


def classes_to_json(classes: NDArray[Any]) -> dict[str, Any]:
    """Class labels of a plain type (str, int, float, bool) with that type, as JSON.

    Examples
    --------
    >>> classes_from_json(classes_to_json(np.array(["happy", "sad"]))).tolist()
    ['happy', 'sad']
    """
    kind = "O" if classes.dtype.kind == "O" else classes.dtype.str
    return {"dtype": kind, "values": classes.tolist()}


def classes_from_json(saved: Mapping[str, Any]) -> NDArray[Any]:
    """The inverse of :func:`classes_to_json`."""
    return np.array(saved["values"], dtype=np.dtype(saved["dtype"]))


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
