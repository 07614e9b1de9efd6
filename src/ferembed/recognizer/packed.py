"""Recognisers' folders as one small file, their numbers as narrow as their answers bear."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from ferembed.models.engines import EngineName, engine_for
from ferembed.recognizer.folder import read_folder
from ferembed.storage import MANIFEST, StorageError, atomic_path, write_manifest, write_text

if TYPE_CHECKING:
    from ferembed.models.engines import Engine
    from ferembed.recognizer.state import State

FORMAT = "ferembed-packed-3"
READABLE = ("ferembed-packed-2", FORMAT)
"""The former knew no other files than tables and texts."""
BYTES = ".onnx"
"""Files that are taken byte by byte."""
MANY = 1000
"""Arrays of fewer numbers keep their floats."""

Array = NDArray[Any]


def pack(folders: Mapping[str, Path], file: Path) -> None:
    """Write saved recognisers, by their names, into one safetensors file.

    Whole numbers become the smallest integers that hold them, unit vectors and distributions 8-bit integers (their
    length or sum is 1 again once they are read), other long arrays float16. What a recogniser has in common with the
    first is kept once: equal arrays, and tables whose rows all stand in the first's in the same order. Texts stand in
    the header, beside a checksum of everything.
    """
    wide = {name: _all_arrays(folder) for name, folder in folders.items()}
    codes = {name: {key: _code_of(array) for key, array in arrays.items()} for name, arrays in wide.items()}
    narrow = {
        name: {key: _encoded(array, codes[name][key]) for key, array in arrays.items()} for name, arrays in wide.items()
    }
    first, *others = folders
    kept, shared, rows = {_place(first, key): array for key, array in narrow[first].items()}, {}, {}
    for name in others:
        for key, array in narrow[name].items():
            place, model = _place(name, key), narrow[first].get(key)
            if model is not None and _equal(model, array):
                shared[place] = _place(first, key)
            elif model is not None and (mask := _rows_among(array, model)) is not None:
                kept[place], rows[place] = mask, _place(first, key)
            else:
                kept[place] = array
    header = {
        "recognizers": json.dumps(list(folders)),
        "folders": json.dumps({name: _described(folder) for name, folder in folders.items()}),
        "types": json.dumps(
            {name: {key: array.dtype.name for key, array in arrays.items()} for name, arrays in wide.items()}
        ),
        "codes": json.dumps(codes),
        "shared": json.dumps(shared),
        "rows": json.dumps(rows),
    }
    with atomic_path(file) as draft:
        save_file(kept, draft, {"format": FORMAT, **header, "sha256": _checksum(kept, header)})


def read_packed(
    file: Path, name: str = "", engine: EngineName = "auto"
) -> tuple[Callable[[], tuple[Engine, State]], dict[str, Any]]:
    """What makes one of the recognisers of a file, and what it is to be known of it before.

    Raises
    ------
    StorageError
        If the file was not written by :func:`pack`, is truncated or altered, or holds no such recogniser.
    """
    kept, header = _read(file)
    if name not in json.loads(header["recognizers"]):
        raise StorageError(f"{file} holds other recognisers, by name: {', '.join(json.loads(header['recognizers']))}.")
    config = json.loads(json.loads(header["folders"])[name]["texts"]["config.json"])

    def make() -> tuple[Engine, State]:
        with tempfile.TemporaryDirectory() as folder:
            _unpack(kept, header, Path(folder), name)
            _, files, state, _ = read_folder(Path(folder))
        return engine_for(files, engine), state

    return make, config["info"]


def _unpack(kept: Mapping[str, Array], header: Mapping[str, str], folder: Path, name: str) -> None:
    """Write the folder of one recogniser, its numbers in their own types again."""
    described, types = json.loads(header["folders"])[name], json.loads(header["types"])[name]
    codes, shared, rows = json.loads(header["codes"])[name], json.loads(header["shared"]), json.loads(header["rows"])
    tables: dict[str, dict[str, Array]] = {table: {} for table in described["tables"]}
    for key, type_name in types.items():
        place = _place(name, key)
        array = kept[shared.get(place, place)]
        wide = (kept[rows[place]][array] if place in rows else array).astype(type_name)
        table, _, column = key.partition("::")
        tables[table][column] = _decoded(wide, codes[key])
    for text_name, text in described["texts"].items():
        write_text(folder / text_name, text)
    for table, columns in tables.items():
        (folder / table).parent.mkdir(parents=True, exist_ok=True)
        if table.endswith(BYTES):
            (folder / table).write_bytes(columns[""].tobytes())
        elif table.endswith(".npy"):
            np.save(folder / table, columns[""], allow_pickle=False)
        else:
            save_file(columns, folder / table)
    for manifest in described["manifests"]:
        write_manifest((folder / manifest).parent)


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


def _described(folder: Path) -> dict[str, Any]:
    """The texts of a folder, and the names of its tables and manifests, inner folders before those around them."""
    names = sorted((_name(folder, path) for path in folder.rglob("*") if path.is_file()), key=len, reverse=True)
    manifests = [name for name in names if Path(name).name == MANIFEST]
    texts = [name for name in names if name.endswith(".json") and name not in manifests]
    return {
        "texts": {name: (folder / name).read_text(encoding="utf-8") for name in texts},
        "tables": [name for name in names if name.endswith((".npy", ".safetensors", BYTES))],
        "manifests": manifests,
    }


def _place(name: str, key: str) -> str:
    return f"{name}/{key}" if name else key


def _equal(one: Array, other: Array) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)


def _rows_among(part: Array, whole: Array) -> NDArray[np.bool_] | None:
    """Which rows of one table make the other, if its rows all stand there in their order; shape (n,)."""
    if part.ndim != 2 or part.dtype != whole.dtype or part.shape[1:] != whole.shape[1:]:
        return None
    mask, rows = np.zeros(len(whole), bool), enumerate(map(bytes, whole))
    for wanted in map(bytes, part):
        place = next((place for place, row in rows if row == wanted), None)
        if place is None:
            return None
        mask[place] = True
    return mask


def _code_of(array: Array) -> str:
    """How an array is narrowed: as rows of length 1, as rows of sum 1 or of zeros, or number by number."""
    if array.ndim != 2 or array.dtype != np.float32 or len(array) < MANY or (array == np.round(array)).all():
        return "numbers"
    if np.allclose(np.linalg.norm(array, axis=1), 1, atol=1e-3):
        return "directions"
    sums = array.sum(axis=1)
    return "shares" if array.min() >= 0 and np.allclose(sums, sums > 0, atol=1e-3) else "numbers"


def _encoded(array: Array, code: str) -> Array:
    """Directions with each row's largest number at 127 or -127, shares in 255ths."""
    if code == "directions":
        return np.asarray(np.round(array * (127 / np.abs(array).max(axis=1, keepdims=True))), np.int8)
    return np.asarray(np.round(255 * array), np.uint8) if code == "shares" else narrowed(array)


def _decoded(rows: Array, code: str) -> Array:
    """What :func:`_encoded` narrowed, in its own type again."""
    if code == "directions":
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    return np.asarray(rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)) if code == "shares" else rows


def _all_arrays(folder: Path) -> dict[str, Array]:
    return {key: array for path in sorted(folder.rglob("*")) for key, array in _arrays(folder, path).items()}


def _arrays(folder: Path, path: Path) -> dict[str, Array]:
    """The arrays of one file by keys that name the file and, in a file of several, the array."""
    if path.suffix == BYTES:
        return {f"{_name(folder, path)}::": np.frombuffer(path.read_bytes(), np.uint8)}
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
    if header.pop("format", None) not in READABLE:
        raise StorageError(f"{file} is not a recogniser that this version of ferembed exported.")
    if header.pop("sha256", None) != _checksum(narrow, header):
        raise StorageError(f"{file} is altered: its checksum differs from the one it carries. Copy it again.")
    return narrow, header


def _checksum(arrays: dict[str, Array], header: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for key in sorted(arrays):
        digest.update(f"{key} {arrays[key].dtype} {arrays[key].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[key]).tobytes())
    return digest.hexdigest()
