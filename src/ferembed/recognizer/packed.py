"""A recogniser's folder as one small file, its numbers as narrow as its answers bear."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from ferembed.storage import MANIFEST, StorageError, atomic_path, write_manifest, write_text

FORMAT = "ferembed-packed-1"
MANY = 1000
"""Arrays of fewer numbers keep their floats."""

Array = NDArray[Any]


def pack(folder: Path, file: Path) -> None:
    """Write a saved recogniser into one safetensors file.

    Whole numbers become the smallest integers that hold them, unit vectors 8-bit integers (their length is 1 again once
    they are read), other long arrays float16. Texts stand in the header, beside a checksum of everything.
    """
    arrays = {key: array for path in sorted(folder.rglob("*")) for key, array in _arrays(folder, path).items()}
    names = sorted((_name(folder, path) for path in folder.rglob("*") if path.is_file()), key=len, reverse=True)
    manifests = [name for name in names if Path(name).name == MANIFEST]  # inner folders before those around them
    texts = [name for name in names if name.endswith(".json") and name not in manifests]
    unit = sorted(key for key, array in arrays.items() if _holds_unit_rows(array))
    narrow = {key: _as_bytes(array) if key in unit else narrowed(array) for key, array in arrays.items()}
    header = {
        "texts": json.dumps({name: (folder / name).read_text(encoding="utf-8") for name in texts}),
        "tables": json.dumps([name for name in names if name.endswith((".npy", ".safetensors"))]),
        "manifests": json.dumps(manifests),
        "types": json.dumps({key: array.dtype.name for key, array in arrays.items()}),
        "unit": json.dumps(unit),
    }
    with atomic_path(file) as draft:
        save_file(narrow, draft, {"format": FORMAT, **header, "sha256": _checksum(narrow, header)})


def unpack(file: Path, folder: Path) -> None:
    """Write the folder that :func:`pack` read, its numbers in their own types again.

    Raises
    ------
    StorageError
        If the file was not written by :func:`pack`, or is truncated or altered.
    """
    narrow, header = _read(file)
    types, unit = json.loads(header["types"]), set(json.loads(header["unit"]))
    tables: dict[str, dict[str, Array]] = {name: {} for name in json.loads(header["tables"])}
    for key, array in narrow.items():
        name, _, column = key.partition("::")
        wide = array.astype(types[key])
        tables.setdefault(name, {})[column] = _unit(wide) if key in unit else wide
    for name, text in json.loads(header["texts"]).items():
        write_text(folder / name, text)
    for name, columns in tables.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".npy"):
            np.save(folder / name, columns[""], allow_pickle=False)
        else:
            save_file(columns, folder / name)
    for name in json.loads(header["manifests"]):
        write_manifest((folder / name).parent)


def narrowed(array: Array) -> Array:
    """The array in the narrowest type that holds whole numbers exactly and long arrays of others to 11 bits."""
    if array.dtype == bool or not array.size:
        return array
    if (array == np.round(array)).all() and np.abs(array).max() < 2**31:
        low, high = int(array.min()), int(array.max())
        return np.asarray(array, np.min_scalar_type(high if low >= 0 else min(low, -high - 1)))
    if array.dtype == np.float32 and array.size >= MANY and np.abs(array).max() < np.finfo(np.float16).max:
        return array.astype(np.float16)
    return array


def _holds_unit_rows(array: Array) -> bool:
    if array.ndim != 2 or array.dtype != np.float32 or len(array) < MANY:
        return False
    return bool(np.allclose(np.linalg.norm(array, axis=1), 1, atol=1e-3))


def _as_bytes(rows: Array) -> Array:
    """Unit vectors with each row's largest number at 127 or -127."""
    return np.asarray(np.round(rows * (127 / np.abs(rows).max(axis=1, keepdims=True))), np.int8)


def _unit(rows: Array) -> Array:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _arrays(folder: Path, path: Path) -> dict[str, Array]:
    """The arrays of one file by keys that name the file and, in a file of several, the array."""
    if path.suffix == ".npy":
        return {f"{_name(folder, path)}::": np.load(path, allow_pickle=False)}
    if path.suffix == ".safetensors":
        return {f"{_name(folder, path)}::{key}": array for key, array in load_file(path).items()}
    return {}


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _read(file: Path) -> tuple[dict[str, Array], dict[str, str]]:
    try:
        with safe_open(file, framework="numpy") as handle:
            header = handle.metadata() or {}
            narrow = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise StorageError(f"{file} is no readable recogniser ({error}): copy it again.") from error
    if header.pop("format", None) != FORMAT:
        raise StorageError(f"{file} is not a recogniser that ferembed exported.")
    if header.pop("sha256", None) != _checksum(narrow, header):
        raise StorageError(f"{file} is altered: its checksum differs from the one it carries. Copy it again.")
    return narrow, header


def _checksum(arrays: dict[str, Array], header: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for key in sorted(arrays):
        digest.update(f"{key} {arrays[key].dtype} {arrays[key].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[key]).tobytes())
    return digest.hexdigest()
