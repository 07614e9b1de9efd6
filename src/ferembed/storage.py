"""State on disk: whole-or-nothing writes and folders whose files are checked before they are read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"


class StorageError(ValueError):
    """A saved file or folder is missing, truncated, altered or foreign."""


def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path beside ``path`` to write to; renamed onto ``path`` when the block ends well, removed otherwise."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o666 & ~_umask())
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with atomic_path(path) as draft:
        draft.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write indented JSON, whole or not at all. NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new folder to fill; it takes the place of ``path``, with a manifest of checksums, when the block ends well.

    A process killed at any moment leaves the old folder or the new one: where it dies between the two renames, the
    old one stands as ``.NAME.old`` and :func:`verify_folder` puts it back.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    old = _old(target)
    draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield draft
        write_manifest(draft)
        draft.chmod(0o777 & ~_umask())
        _restore(target)
        if target.exists():
            os.replace(target, old)
        os.replace(draft, target)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_manifest(folder: Path) -> None:
    """Write the checksums of a folder's files, those of its subfolders included, beside them."""
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    write_json(folder / MANIFEST, {"files": {name: sha256(folder / name) for name in files if name != MANIFEST}})


def verify_folder(path: str | os.PathLike[str]) -> Path:
    """Check every file of a folder written by :func:`atomic_folder` against its checksum and return the folder.

    Raises
    ------
    StorageError
        If the folder or its manifest is missing, or a file is missing or altered; the sentence names it.
    """
    target = Path(path)
    _restore(target)
    if not (target / MANIFEST).is_file():
        raise StorageError(f"{target} holds no {MANIFEST}: it is not a folder saved by ferembed.")
    try:
        files: dict[str, str] = json.loads((target / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{target / MANIFEST} is not a ferembed manifest ({error}).") from error
    for name, checksum in files.items():
        file = target / name
        if not file.is_file():
            raise StorageError(f"{file} is missing: copy the whole folder again.")
        if sha256(file) != checksum:
            raise StorageError(f"{file} is truncated or altered: its checksum differs from the manifest's.")
    return target


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _restore(target: Path) -> None:
    old = _old(target)
    if old.exists() and not target.exists():
        os.replace(old, target)
    elif old.exists():
        shutil.rmtree(old)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
