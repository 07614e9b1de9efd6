"""Parsed arrays kept on disk for the next time, bound to the exact bytes they were parsed from."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferembed.storage import StorageError, atomic_folder, read_folder, sha256, write_json

Arrays = dict[str, NDArray[Any]]

FORMAT = 1
"""Raised whenever the meaning of the cached arrays changes, so that older caches are rebuilt."""


def cached(source: Path, build: Callable[[], Arrays]) -> Arrays:
    """The arrays ``build()`` makes from ``source``, from the cache where it holds them for these very bytes.

    The cache is the folder ``NAME.ferembed-cache`` beside the source or, where that cannot be written, one in the
    user's cache folder. It is used only if the source's SHA-256 is the one it was made from and every file in it has
    the checksum of its manifest; otherwise it is built anew.
    """
    key = {"format": FORMAT, "source_sha256": sha256(source)}
    places = tuple(place for place in (_beside(source), _in_user_folder(source)) if place is not None)
    for place in places:
        found = _read(place, key)
        if found is not None:
            return found
    arrays = build()
    if sha256(source) == key["source_sha256"]:  # else the source changed while it was parsed
        _write(places, key, arrays)
    return arrays


def _beside(source: Path) -> Path:
    return source.with_name(f"{source.name}.ferembed-cache")


def _in_user_folder(source: Path) -> Path | None:
    try:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    except RuntimeError:  # the user has no home
        return None
    place = hashlib.sha256(os.fsencode(source.resolve())).hexdigest()[:16]
    return Path(base) / "ferembed" / f"{source.name}-{place}"


def _read(folder: Path, key: dict[str, Any]) -> Arrays | None:
    try:
        if json.loads((folder / "config.json").read_text(encoding="utf-8")) != key:  # before all of it is read
            return None
        return read_folder(folder, _arrays)
    except (OSError, ValueError):
        return None


def _arrays(folder: Path) -> Arrays:
    return {file.stem: np.load(file, allow_pickle=False) for file in sorted(folder.glob("*.npy"))}


def _write(places: tuple[Path, ...], key: dict[str, Any], arrays: Arrays) -> None:
    problem: OSError | StorageError | None = None
    for folder in places:
        try:
            with atomic_folder(folder) as draft:
                for name, array in arrays.items():
                    np.save(draft / f"{name}.npy", array, allow_pickle=False)
                write_json(draft / "config.json", key)
            return
        except (OSError, StorageError) as error:
            problem = error
    warnings.warn(f"The parsed data could not be cached, so the next load parses again: {problem}.", stacklevel=4)
