"""What an estimator writes to disk: its settings as JSON, its arrays as safetensors. No pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.storage import MANIFEST, StorageError, verify_folder, write_json, write_manifest

CONFIG = "config.json"
ARRAYS = "arrays.safetensors"


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
