"""The files of a saved index, read with nothing run and every doubt named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.storage import StorageError

FORMAT = "ferembed-index-1"


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a saved index.

    Raises
    ------
    StorageError
        If it is missing or foreign.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{folder} holds no readable config.json: it is not an index ({error}).") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise StorageError(
            f"{folder / 'config.json'} does not describe a {FORMAT}: it is not an index of this version."
        )
    return config


def read_array(path: Path, dtype: Any) -> NDArray[Any]:
    """An array file, which must be of one dtype; nothing in it is run."""
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} is not an array file ({error}).") from error
    if array.dtype != dtype:
        raise StorageError(f"{path} holds {array.dtype}, where {np.dtype(dtype)} was saved.")
    return array
